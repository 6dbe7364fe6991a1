"""Runs as Python objects, for notebooks and scripts. `fastadv_tui.api` is their entry point."""
