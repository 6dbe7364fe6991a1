"""Data sets: read and check their files, fingerprint them, and make minibatches."""
