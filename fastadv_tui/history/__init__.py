"""The index of all runs: rows, queries, comparisons."""
