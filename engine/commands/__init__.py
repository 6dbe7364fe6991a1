"""The commands of the engine's process, one file per command."""
