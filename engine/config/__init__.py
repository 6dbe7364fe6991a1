"""What was asked for: the settings of a run, typed and validated."""
