"""Text for users: safe printing, numbers with units, aligned tables, and the ends of files."""
