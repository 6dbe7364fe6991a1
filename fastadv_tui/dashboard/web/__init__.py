"""Serves the dashboard to browsers."""
