"""The screens of the dashboard, one per file. Widgets post messages, and screens act on them."""
