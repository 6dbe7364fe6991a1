"""Signals of the dashboard: Ctrl-Z gives the terminal back to the shell, SIGINT and SIGTERM end the dashboard."""

import asyncio
import os
import signal
from typing import ClassVar

import psutil
from textual.app import App
from textual.binding import Binding, BindingType


class DashboardSignals(App[str]):
    """An app that handles signals. Runs have sessions of their own, so no signal of the terminal reaches them."""

    # with priority, because a dialog hides all other keys of the app
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+z",
            "suspend_process",
            "To the shell",
            id="suspend",
            show=False,
            tooltip="to the shell; fg comes back",
            priority=True,
        )
    ]

    def end_on_signals(self) -> None:
        """From now on SIGINT and SIGTERM restore the terminal and end the dashboard. A second signal kills it."""
        if self.in_terminal:  # in a browser the driver does so
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._end, loop, number)

    def _end(self, loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)
        self.exit(return_code=128 + number)

    @property
    def in_terminal(self) -> bool:
        return not (self.is_web or self.is_headless)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "suspend_process" and not self.in_terminal:
            return False
        return super().check_action(action, parameters)

    def action_suspend_process(self) -> None:
        """Stop this process and all of its process group, as a terminal does when it gets Ctrl-Z.

        A program that started the dashboard, such as `uv run`, is in the group. The shell waits for that program, too.
        """
        if not shell_waits():
            self.notify("no shell waits for this dashboard; leave it with q", severity="warning")
            return
        self.app_suspend_signal.publish(self)
        os.killpg(os.getpgrp(), signal.SIGTSTP)


def shell_waits() -> bool:
    """Whether a shell with job control started this process group. Without one, nobody could continue the group."""
    for parent in psutil.Process().parents():
        if os.getpgid(parent.pid) != os.getpgrp():
            return os.getsid(parent.pid) == os.getsid(0)
    return False
