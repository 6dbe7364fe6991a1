"""Turns what a user typed, in a command or in the form, into requests to the engine and configurations of runs."""
