"""The answers of the engine's process, one file a command."""
