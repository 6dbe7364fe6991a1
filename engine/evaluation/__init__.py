"""Measures clean and robust accuracy."""
