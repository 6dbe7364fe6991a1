"""The widgets of the dashboard, one per file. A widget shows the data it is given and posts messages."""
