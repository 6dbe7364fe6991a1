"""What the history screen does to runs: to all marked ones, or to those under the cursor if none is marked."""

from collections.abc import Callable, Sequence
from typing import Protocol, cast

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.export import NUMBERS, Exported, offer_export
from fastadv_tui.dashboard.screens.run_actions import EVALUATION_QUESTION, REMOVE
from fastadv_tui.dashboard.screens.text_dialog import TextDialog
from fastadv_tui.dashboard.snapshot import Evaluation
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import Notes, changed_tags
from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import label_among
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs import control
from fastadv_tui.text.sanitize import one_line

MAX_NOTE = 60  # characters of a note in a question
MAX_NAMED, MAX_TOLD = 5, 2  # runs that a question names, and that a toast names
Action = Callable[[Row], str]  # returns what was done to the run, in words; empty if nothing was
NO_RUN = "this line has no run"  # a published result, or an empty table


class ShownRuns(Protocol):
    """What the actions and the views ask of the screen that has them."""

    def under_cursor(self) -> list[Row]:
        """The runs of the line under the cursor."""

    def marked_rows(self) -> list[Row]:
        """The marked runs, whether the filter shows them or not."""

    def matching_rows(self) -> list[Row]:
        """The runs that match the filter."""

    def draw_lines(self) -> None:
        """Draw all lines again, after a change of filter, order, groups or columns."""

    @property
    def by_seed(self) -> bool:
        """Whether the seeds of a recipe are one line."""


class HistoryActions(Screen[None]):
    """A screen of runs with actions on them. A subclass has the methods of `ShownRuns`."""

    @property
    def _shown(self) -> ShownRuns:
        return cast(ShownRuns, self)

    def _targets(self) -> list[Row]:
        """The marked runs, else those under the cursor. Without any, the user is told."""
        rows = self._shown.marked_rows() or self._shown.under_cursor()
        if not rows:
            self.notify(NO_RUN)
        return rows

    def _of_line(self) -> list[Row]:
        """The runs under the cursor: marks do not count. Without any, the user is told."""
        rows = self._shown.under_cursor()
        if not rows:
            self.notify(NO_RUN)
        return rows

    def _evaluation(self, row: Row) -> Evaluation | None:
        return self.fastadv.snapshot.evaluation(row.id)

    def _tell(self, what: str, rows: Sequence[Row]) -> None:
        """Say in a toast what was done to runs."""
        self.notify(f"{what}: {self._named(rows, MAX_TOLD)}", markup=False)

    def action_tag(self) -> None:
        def change(notes: Notes, text: str) -> None:
            notes.tags = changed_tags(notes.tags, text.split())

        rows = self._targets()
        present = one_line(", ".join(dict.fromkeys(tag for row in rows for tag in row.tags))) or "none"
        self._ask(rows, f"tags now: {present}\ntype tags to add; -TAG takes a tag off", "", change, "tags saved")

    def action_note(self) -> None:
        rows = self._targets()
        present = list(dict.fromkeys(row.note for row in rows))
        label = "note" if len(present) < 2 else _label_of_notes([note for note in present if note])

        def change(notes: Notes, text: str) -> None:
            notes.note = text if text.strip() or len(present) < 2 else notes.note

        self._ask(rows, label, present[0] if len(present) == 1 else "", change, "note saved")

    def action_rename(self) -> None:
        def change(notes: Notes, text: str) -> None:
            notes.name = text

        if rows := self._of_line():
            self._ask(rows, "name", rows[0].name, change, "renamed", about=self._named(rows))

    def action_pin(self) -> None:
        """Pin the runs of this line; if one is pinned, none is any more."""
        rows = self._of_line()
        unpinned = not any(row.pinned for row in rows)

        def change(notes: Notes) -> None:
            notes.pinned = unpinned

        if edited := [row for row in rows if self.fastadv.attempt(History().edit, folder(row), change)]:
            self._tell("pinned" if unpinned else "no longer pinned", edited)

    def action_stop(self) -> None:
        """Stop the runs that have not ended; if all have, their evaluations."""
        rows = self._targets()
        by_id = {row.id: row for row in rows if row.live}
        live = [by_id[run_id] for run_id in control.in_order_of_stopping(by_id)]
        measured = [row for row in rows if self._evaluation(row)]
        if live and all(row.status == "queued" for row in live):
            self._confirm(live, "Remove from the queue? What was trained before is kept.", REMOVE, self._stop)
        elif live:
            self._confirm(live, "Stop? A run that trains saves a checkpoint first.", "Stop", self._stop)
        elif measured:
            self._confirm(measured, EVALUATION_QUESTION, "Stop", self._stop_evaluation)
        elif rows:
            self._tell("ended already", rows)

    def action_resume(self) -> None:
        self._act(self._targets(), lambda row: self.fastadv.resume(folder(row)))

    def action_again(self) -> None:
        for row in self._of_line()[:1]:
            self.fastadv.open_launch(folder(row))

    def action_delete(self) -> None:
        rows = self._targets()
        what = "it with its folder" if len(rows) == 1 else "them with their folders"
        self._confirm(rows, f"Delete {what}? This cannot be undone.", "Delete", self._delete)

    def action_evaluate(self) -> None:
        if rows := self._targets():
            self.fastadv.open_evaluate([row.id for row in rows])

    def action_export(self) -> None:
        """Export the marked runs, or all that match the filter."""
        marked = self._shown.marked_rows()
        if rows := marked or self._shown.matching_rows():
            offer_export(self, Exported(rows, self._shown.by_seed), NUMBERS, self._marked(marked) if marked else "")
        else:
            self.notify("no run matches the filter" if self.fastadv.snapshot.rows else "there is no run yet")

    def _stop(self, row: Row) -> str:
        return self.fastadv.stop(folder(row), now=False)

    def _stop_evaluation(self, row: Row) -> str:
        evaluation = self._evaluation(row)
        done = self.fastadv.stop(evaluation.rundir, now=False) if evaluation else ""
        return f"evaluation {done}" if done else ""

    def _delete(self, row: Row) -> str:
        def delete() -> None:
            if folder(row).path.exists():
                control.delete(folder(row))
            History().remove(row.id)

        deleted = self.fastadv.attempt(delete)
        if deleted and row.id in self.fastadv.marked:
            self.fastadv.marked.toggle(row.id)
        return "deleted" if deleted else ""

    def _act(self, rows: Sequence[Row], action: Action) -> None:
        """Act on each run, and say in one toast for each kind of outcome what was done."""
        outcomes: dict[str, list[Row]] = {}
        for row in rows:
            if done := action(row):
                alike = done if len(rows) == 1 else done.partition(",")[0]  # without its place in the queue
                outcomes.setdefault(alike, []).append(row)
        for done, acted in outcomes.items():
            self._tell(done, acted)

    def _confirm(self, rows: Sequence[Row], question: str, yes: str, action: Action) -> None:
        """Ask, then act on each run."""
        if rows:
            dialog = ConfirmDialog(f"{self._about(rows)}\n{question}", yes)
            self.app.push_screen(dialog, lambda sure: self._act(rows, action) if sure else None)

    def _ask(
        self,
        rows: Sequence[Row],
        label: str,
        text: str,
        change: Callable[[Notes, str], None],
        done: str,
        about: str = "",
    ) -> None:
        """Ask for a text, then change the notes of the runs. done: what a toast says then. about: the runs in words,
        if no mark counts."""

        def edited(row: Row, answer: str) -> bool:
            return self.fastadv.attempt(History().edit, folder(row), lambda notes: change(notes, answer))

        def answered(answer: str | None) -> None:
            if answer is None:
                return
            if changed := [row for row in rows if edited(row, answer)]:  # those that the dialog names
                self._tell(done, changed)

        if rows:
            self.app.push_screen(TextDialog(f"{about or self._about(rows)}: {label}", text), answered)

    def _about(self, rows: Sequence[Row]) -> str:
        """The runs that a question is about, with a word on marks, of which the filter may hide some."""
        if not all(row.id in self.fastadv.marked for row in rows):
            return self._named(rows)
        return f"{self._marked(rows)}: {self._named(rows)}"

    def _marked(self, rows: Sequence[Row]) -> str:
        """How many marked runs these are, and how many of them the filter hides."""
        shown = {row.id for row in self._shown.matching_rows()}
        hidden = sum(row.id not in shown for row in rows)
        some = "" if hidden == len(rows) else f"{hidden} of them "
        more = f", {some}hidden by the filter" if hidden else ""
        return f"{len(rows):,} marked run{'s' * (len(rows) != 1)}{more}"

    def _named(self, rows: Sequence[Row], most: int = MAX_NAMED) -> str:
        """The runs that a question or a toast is about: `fgsm s1 (k3f9), pgd (p2x7) and 3 more`."""
        named = ", ".join(label_among(row, self.fastadv.snapshot.rows) for row in rows[:most])
        return f"{named} and {len(rows) - most} more" if len(rows) > most else named


def _label_of_notes(notes: Sequence[str]) -> str:
    """What the dialog says of several runs with different notes."""
    first = one_line(notes[0], MAX_NOTE)
    others = f" and {len(notes) - 1} other(s)" if notes[1:] else ""
    return f"note\nthere now: {first}{others}\nwhat you type replaces all; an empty line keeps them"


def folder(row: Row) -> RunDir:
    """The folder of a run."""
    return RunDir(runs_dir() / row.id)
