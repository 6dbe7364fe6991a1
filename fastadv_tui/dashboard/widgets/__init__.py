"""The widgets of the dashboard, one a file: they show what they are given and post messages."""
