"""Curves in braille: scales, drawing, and the widget that shows them."""
