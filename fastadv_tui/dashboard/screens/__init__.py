"""The screens of the dashboard, one a file: widgets post messages, screens act."""
