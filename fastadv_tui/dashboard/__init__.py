"""The Textual app: shows all runs and the machine, live."""
