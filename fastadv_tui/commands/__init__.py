"""The headless commands: each takes its words, calls the modules that do the work, and prints."""
