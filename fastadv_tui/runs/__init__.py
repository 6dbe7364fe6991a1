"""One run as it is now: its state, its status, and the actions on it."""
