"""Opens the screens of the dashboard. A screen is imported when it is opened, so that the first paint does not wait."""

from collections.abc import Callable, Sequence

from textual.app import App

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.dashboard.snapshot import LiveRun, Snapshot
from fastadv_tui.history.row_names import names_apart


class OpensScreens(App[str]):
    """An app with one method for each screen that it can open."""

    attempt: Callable[..., bool]
    refresh_now: Callable[[], None]
    settings: Settings
    snapshot: Snapshot
    readonly: bool
    history_filter = ""  # that the history was left with

    def open_launch(self, like: RunDir | None = None) -> None:
        """Open the form of a new run. like: an existing run, whose settings fill the form."""
        from fastadv_tui.dashboard.screens.launch import LaunchScreen

        self.attempt(lambda: self.push_screen(LaunchScreen(like)))

    def open_history(self, query: str = "") -> None:
        """Open the history. query: the filter that it begins with, in place of the one that it was left with."""
        from fastadv_tui.dashboard.screens.history import HistoryScreen

        self.push_screen(HistoryScreen(query or self.history_filter))

    def open_compare(self, run_ids: Sequence[str], by_seed: bool = False) -> None:
        """Compare runs. by_seed: runs that differ only in their seed are one at first."""
        from fastadv_tui.dashboard.screens.compare import CompareScreen

        self.push_screen(CompareScreen(run_ids, by_seed))

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

    def open_evaluate(self, run_ids: Sequence[str]) -> None:
        """Ask what to measure on runs, and put the evaluations into the queue."""
        from fastadv_tui.dashboard.screens.evaluate_dialog import EvaluateDialog

        names = names_apart(self.snapshot.rows)
        runs = [(run_id, names[run_id]) for run_id in run_ids if run_id in names]
        if runs and not self.readonly:
            self.push_screen(EvaluateDialog(runs), lambda queued: self.refresh_now())
