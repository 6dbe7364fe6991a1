"""Data sets of images in files, a folder for each class."""
