"""Clean and robust accuracy."""
