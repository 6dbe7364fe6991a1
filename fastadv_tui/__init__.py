"""The user's side of fastadv: command line, dashboard, supervisor and history. Never imports torch."""
