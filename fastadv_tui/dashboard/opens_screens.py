"""Opens the screens of the dashboard. A screen is imported when it is opened, so that the first paint does not wait."""

from collections.abc import Callable, Sequence

from textual.app import App

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.dashboard.snapshot import LiveRun


class OpensScreens(App[str]):
    """An app with one method for each screen that it can open."""

    attempt: Callable[..., bool]
    settings: Settings
    readonly: bool

    def open_launch(self, like: RunDir | None = None) -> None:
        """Open the form of a new run. like: an existing run, whose settings fill the form."""
        from fastadv_tui.dashboard.screens.launch import LaunchScreen

        self.attempt(lambda: self.push_screen(LaunchScreen(like)))

    def open_history(self) -> None:
        from fastadv_tui.dashboard.screens.history import HistoryScreen

        self.push_screen(HistoryScreen())

    def open_compare(self, run_ids: Sequence[str]) -> None:
        from fastadv_tui.dashboard.screens.compare import CompareScreen

        self.push_screen(CompareScreen(run_ids))

    def open_log(self, run: LiveRun) -> None:
        from fastadv_tui.dashboard.screens.log import LogScreen

        self.push_screen(LogScreen(run))

    def open_help(self) -> None:
        """Open the page with all keys, those of the present screen first."""
        from fastadv_tui.dashboard.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen, self.readonly, self.settings.keymap))

    def open_machine(self) -> None:
        from fastadv_tui.dashboard.screens.machine import MachineScreen

        self.push_screen(MachineScreen())
