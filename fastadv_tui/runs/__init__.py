"""One run as it is now: its state, its status, and what can be done with it."""
