"""Textual's driver for a browser, changed so that a dashboard ends with its server, even if the server was killed."""

import os

from textual.drivers.web_driver import WebDriver


class BrowserDriver(WebDriver):
    def run_input_thread(self) -> None:
        """Read what the server sends. If the input ends before the dashboard was asked to exit, the server is gone."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            os._exit(1)  # an orderly exit would write to the server, and hang
