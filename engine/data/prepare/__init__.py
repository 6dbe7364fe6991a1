"""Smaller copies of a large image data set."""
