"""Opens the screens of the dashboard. A screen is imported when it is opened, so that the first paint does not wait."""

from collections.abc import Callable, Sequence

from textual.app import App

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.snapshot import LiveRun


class OpensScreens(App[str]):
    """An app with one method for each screen that it can open."""

    attempt: Callable[..., bool]

    def open_launch(self, like: RunDir | None = None) -> None:
        """Open the form of a new run. like: an existing run, whose settings fill the form."""
        from fastadv_tui.dashboard.screens.launch import LaunchScreen

        self.attempt(lambda: self.push_screen(LaunchScreen(like)))

    def open_history(self) -> None:
        from fastadv_tui.dashboard.screens.history import HistoryScreen

        self.push_screen(HistoryScreen())

    def open_compare(self, run_ids: Sequence[str], by_seed: bool = False) -> None:
        """Compare runs. by_seed: runs that differ only in their seed are one at first."""
        from fastadv_tui.dashboard.screens.compare import CompareScreen

        self.push_screen(CompareScreen(run_ids, by_seed))

    def open_log(self, run: LiveRun) -> None:
        from fastadv_tui.dashboard.screens.log import LogScreen

        self.push_screen(LogScreen(run))
