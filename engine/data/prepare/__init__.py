"""Make smaller copies of a large image data set."""
