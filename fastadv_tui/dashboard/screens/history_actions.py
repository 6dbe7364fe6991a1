"""What the history screen does to runs: to all marked ones, or to those under the cursor if none is marked."""

from collections.abc import Callable, Sequence
from typing import Protocol, cast

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.export import export
from fastadv_tui.dashboard.screens.text_dialog import TextDialog
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import Notes, changed_tags
from fastadv_tui.history.row import Row
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs import control
from fastadv_tui.text.sanitize import one_line, run_label

MAX_NAMED = 5  # runs that a question names


class ShownRuns(Protocol):
    """What the actions ask of the screen that has them."""

    def under_cursor(self) -> list[Row]:
        """The runs of the line under the cursor."""

    def marked_rows(self) -> list[Row]:
        """The marked runs, whether the filter shows them or not."""

    def matching_rows(self) -> list[Row]:
        """The runs that match the filter."""


class HistoryActions(Screen[None]):
    """A screen of runs with actions on them. A subclass has the methods of `ShownRuns`."""

    @property
    def _shown(self) -> ShownRuns:
        return cast(ShownRuns, self)

    def _targets(self) -> list[Row]:
        return self._shown.marked_rows() or self._shown.under_cursor()

    def action_tag(self) -> None:
        def change(notes: Notes, text: str) -> None:
            notes.tags = changed_tags(notes.tags, text.split())

        rows = self._targets()
        present = one_line(", ".join(dict.fromkeys(tag for row in rows for tag in row.tags))) or "none"
        self._ask(rows, f"tags now: {present}\ntype tags to add; -TAG takes a tag off", "", change)

    def action_note(self) -> None:
        def change(notes: Notes, text: str) -> None:
            notes.note = text

        rows = self._targets()
        self._ask(rows, "note", rows[0].note if len(rows) == 1 else "", change)

    def action_rename(self) -> None:
        def change(notes: Notes, text: str) -> None:
            notes.name = text

        for row in self._shown.under_cursor()[:1]:  # marks do not count
            self._ask([row], "name", row.name, change, about=_named([row]))

    def action_pin(self) -> None:
        def change(notes: Notes) -> None:
            notes.pinned = not notes.pinned

        for row in self._shown.under_cursor()[:1]:
            self.fastadv.attempt(History().edit, folder(row), change)

    def action_stop(self) -> None:
        live = [row for row in self._targets() if row.live]
        if not live:
            self.notify("these runs have ended already")
        else:
            self._confirm(live, "Stop? A run that trains saves a checkpoint first.", "Stop", self._stop)

    def action_resume(self) -> None:
        for row in self._targets():
            self.fastadv.resume(folder(row))

    def action_again(self) -> None:
        for row in self._shown.under_cursor()[:1]:
            self.fastadv.open_launch(folder(row))

    def action_delete(self) -> None:
        what = "it with its folder" if len(self._targets()) == 1 else "them with their folders"
        self._confirm(self._targets(), f"Delete {what}? This cannot be undone.", "Delete", self._delete)

    def action_evaluate(self) -> None:
        if rows := self._targets():
            self.fastadv.open_evaluate([row.id for row in rows])

    def action_export(self) -> None:
        """Write the marked runs, or all that match the filter, as CSV."""
        from fastadv_tui.history.rows_csv import rows_as_csv  # few people export, and the history opens sooner

        if rows := self._shown.marked_rows() or self._shown.matching_rows():
            export(self, "runs", {"csv": rows_as_csv(rows)})
        else:
            self.notify("no run matches the filter")

    def _stop(self, row: Row) -> None:
        self.fastadv.stop(folder(row), now=False)

    def _delete(self, row: Row) -> None:
        def delete() -> None:
            if folder(row).path.exists():
                control.delete(folder(row))
            History().remove(row.id)

        if self.fastadv.attempt(delete) and row.id in self.fastadv.marked:
            self.fastadv.marked.toggle(row.id)

    def _confirm(self, rows: Sequence[Row], question: str, yes: str, action: Callable[[Row], None]) -> None:
        def answered(sure: bool | None) -> None:
            for row in rows if sure else ():
                action(row)

        if rows:
            self.app.push_screen(ConfirmDialog(f"{self._about(rows)}\n{question}", yes), answered)

    def _ask(
        self, rows: Sequence[Row], label: str, text: str, change: Callable[[Notes, str], None], about: str = ""
    ) -> None:
        """Ask for a text, then change the notes of the runs. about: the runs in words, if no mark counts."""

        def answered(answer: str | None) -> None:
            if answer is None:
                return
            for row in rows:  # those that the dialog names, even if the cursor has moved
                self.fastadv.attempt(History().edit, folder(row), lambda notes: change(notes, answer))

        if rows:
            self.app.push_screen(TextDialog(f"{about or self._about(rows)}: {label}", text), answered)

    def _about(self, rows: Sequence[Row]) -> str:
        """The runs that a question is about, with a word on marks, of which the filter may hide some."""
        if not all(row.id in self.fastadv.marked for row in rows):
            return _named(rows)
        shown = {row.id for row in self._shown.matching_rows()}
        hidden = sum(row.id not in shown for row in rows)
        more = f", {hidden} of them hidden by the filter" if hidden else ""
        return f"{len(rows)} marked run{'s' * (len(rows) != 1)}{more}: {_named(rows)}"


def folder(row: Row) -> RunDir:
    """The folder of a run."""
    return RunDir(runs_dir() / row.id)


def _named(rows: Sequence[Row]) -> str:
    """The runs that a question is about: `fgsm (k3f9), pgd (p2x7) and 3 more`."""
    named = ", ".join(run_label(row.name, row.id) for row in rows[:MAX_NAMED])
    return f"{named} and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else named
