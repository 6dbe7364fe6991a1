"""Messages to the user about runs, to a command, an ntfy topic or a webhook, whether or not a dashboard is open."""
