"""The parent process of an engine: queue, locks, process identity, records."""
