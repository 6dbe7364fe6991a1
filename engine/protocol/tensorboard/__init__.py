"""TensorBoard's event files: a few messages of its format, written and read without its package."""
