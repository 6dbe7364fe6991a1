"""Charts in a terminal: scales, drawing in braille characters, and the widget."""
