"""The commands that need no dashboard: each reads its arguments, calls the modules that do the work, and prints."""
