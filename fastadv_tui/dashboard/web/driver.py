"""Textual's driver of a dashboard in a browser, except that it ends with its server, even one that was killed."""

import os

from textual.drivers.web_driver import WebDriver


class Page(WebDriver):
    def run_input_thread(self) -> None:
        """Read what the server sends; when that ends and nobody asked the dashboard to, there is no server."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            os._exit(1)  # an orderly end writes to the server, and hangs
