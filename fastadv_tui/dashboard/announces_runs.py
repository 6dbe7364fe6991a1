"""Says which runs the user has submitted, and lets the screens go to the first of them."""

from collections.abc import Callable

from fastadv_tui.dashboard.messages import RunsSubmitted
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.toasts import SmallToasts
from fastadv_tui.text.sanitize import one_line


class AnnouncesRuns(SmallToasts):
    """An app that is told of submitted runs by the message RunsSubmitted."""

    refresh_now: Callable[[], None]

    def on_runs_submitted(self, message: RunsSubmitted) -> None:
        started = message.started
        self.notify(one_line(started.text), markup=False, timeout=10)
        for warning in started.warnings:
            self.notify(one_line(warning), severity="warning", timeout=20, markup=False)
        for screen in self.screen_stack:
            if isinstance(screen, Screen) and screen.ready:
                screen.expect(started.first)
        self.refresh_now()
