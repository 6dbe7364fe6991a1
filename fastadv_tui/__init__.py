"""Everything a person or a shell touches: the command line, the supervisor, the history. Never imports torch."""
