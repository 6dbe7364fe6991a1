"""Runs as one file: what is in a bundle, how it is written and checked, and how runs come out of it again."""
