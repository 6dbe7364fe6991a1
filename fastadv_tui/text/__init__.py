"""Text as people see it: made safe, figures in words, aligned columns, the ends of files."""
