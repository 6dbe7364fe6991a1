"""The training methods, one file each; engine/config/methods.py says what such a file holds."""
