"""Output of the commands: runs, evaluations and preparations as a progress bar, plain lines or JSON."""
