"""Opens the screens of the dashboard. A screen is imported when it is opened, so that the first paint does not wait."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace
from textual.app import App
from textual.screen import Screen

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.settings import Settings, View
from fastadv_tui.dashboard.snapshot import LiveRun, Snapshot
from fastadv_tui.history.row_names import names_apart
from fastadv_tui.paths import runs_dir

Kind = TypeVar("Kind", bound=Screen[Any])


class OpensScreens(App[str]):
    """An app with one method for each screen that it can open."""

    attempt: Callable[..., bool]
    refresh_now: Callable[[], None]
    settings: Settings
    snapshot: Snapshot
    readonly: bool
    history_left: tuple[View, str] = View(), ""  # what the history showed when it was left, and the name of its view

    def open_launch(self, like: RunDir | None = None) -> None:
        """Open the form of a new run. like: an existing run, whose settings fill the form.

        Without one, a form that stands below other screens comes back with what was typed.
        """
        from fastadv_tui.dashboard.screens.launch import LaunchScreen

        if like or not self._go_back_to(LaunchScreen):
            self.attempt(lambda: self.push_screen(LaunchScreen(like)))

    def open_history(self, query: str = "") -> None:
        """Open the history, or go back to the one that stands below other screens.

        It begins as it was left. query: the filter that it begins with in place of that one.
        """
        from fastadv_tui.dashboard.screens.history import HistoryScreen

        if open_already := self._go_back_to(HistoryScreen):
            if query:
                open_already.filter_by(query)
        else:
            left, name = self.history_left
            self.push_screen(HistoryScreen(replace(left, filter=query or left.filter), name))

    def _go_back_to(self, kind: type[Kind]) -> Kind | None:
        """Close the screens above the one of this kind. Returns that screen, or None if there is none."""
        found = next((screen for screen in self.screen_stack if isinstance(screen, kind)), None)
        while found is not None and self.screen is not found:
            self.pop_screen()
        return found

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

    def _is_untrained(self, run_id: str) -> bool:
        """Whether a run waits in the queue and has no checkpoint of an earlier attempt."""
        row = self.snapshot.row(run_id)
        return row is not None and row.status == "queued" and not RunDir(runs_dir() / run_id).has_checkpoint()

    def open_evaluate(self, run_ids: Sequence[str]) -> None:
        """Ask what to measure on runs, and put the evaluations into the queue."""
        from fastadv_tui.dashboard.screens.evaluate_dialog import EvaluateDialog

        names = names_apart(self.snapshot.rows)
        runs = [(run_id, names[run_id]) for run_id in run_ids if run_id in names]
        if early := next((name for run_id, name in runs if self._is_untrained(run_id)), ""):
            self.notify(f"{early} has not started; there is nothing to evaluate yet", markup=False)
        elif runs and not self.readonly:
            self.push_screen(EvaluateDialog(runs), lambda queued: self.refresh_now())
