"""When a start must be confirmed, on the command line as in the dashboard."""

MAX_UNCONFIRMED = 8  # who starts more runs at once is asked first
