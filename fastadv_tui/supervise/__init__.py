"""The supervisor, the parent process of an engine, with its queue, locks and records."""
