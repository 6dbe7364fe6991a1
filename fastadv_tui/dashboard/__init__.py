"""The Textual app: what a researcher leaves open all day."""
