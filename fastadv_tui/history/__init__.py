"""The history of all runs: its rows, filters and comparisons."""
