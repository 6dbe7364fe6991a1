"""Data sets of image files, with one folder per class."""
