"""What the keys do to the run under the cursor, or to the marked runs."""

from functools import partial

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.monitor import MonitoredRun
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.export import FIGURE, Exported, offer_export
from fastadv_tui.dashboard.screens.panel_keys import PanelKeys
from fastadv_tui.dashboard.snapshot import EMPTY, LiveRun
from fastadv_tui.dashboard.widgets.run_list import RunList
from fastadv_tui.history.row_names import label_among, name_among
from fastadv_tui.paths import runs_dir

NO_RUN = "no run is chosen"
REMOVE = "Remove"  # the button for a run that waits in the queue
EVALUATION_QUESTION = "Stop the evaluation? What is measured is kept, and the next one goes on from there."


class RunActions(PanelKeys):
    """A screen with a list of runs."""

    def __init__(self) -> None:
        super().__init__()
        self._snapshot = EMPTY

    def action_log(self) -> None:
        if view := self._view_to_act_on():
            self.query_one(RunList).settle()
            self.fastadv.open_log(view)

    def action_stop(self, now: bool) -> None:
        view = self._view_to_act_on()
        if view is None:
            return
        if not view.verdict.live:
            self._stop_evaluation(now)
            return
        waits = view.verdict.status == "queued"
        question = ConfirmDialog(
            f"{self._label_of(view.rundir.id)}\n{_stop_question(view, now)}{self._others()}",
            REMOVE if waits else "Kill" if now else "Stop",
        )
        self.app.push_screen(question, lambda yes: self._stop(view.rundir, view.rundir.id, now) if yes else None)

    def _stop(self, rundir: RunDir, run_id: str, now: bool, what: str = "") -> None:
        """Stop a run or its evaluation, and say so. rundir: its folder. what: of the run is stopped, in words."""
        if done := self.fastadv.stop(rundir, now):
            self.notify(f"{what}{done}: {self._label_of(run_id)}", markup=False)

    def _others(self) -> str:
        """What becomes of marked runs when the run under the cursor is stopped."""
        others = {*self.fastadv.marked} - {self.query_one(RunList).chosen}
        return "\nThe marked runs go on; x in the history stops them." if others else ""

    def _stop_evaluation(self, now: bool) -> None:
        """Stop the evaluation of a run that has ended."""
        chosen = self.query_one(RunList).chosen
        evaluation, row = self._snapshot.evaluation(chosen), self._snapshot.row(chosen)
        if evaluation is None or row is None:
            self.notify(f"{self._label_of(row.id)} has ended already" if row else NO_RUN, markup=False)
            return
        dialog = ConfirmDialog(f"{self._label_of(row.id)}\n{EVALUATION_QUESTION}", "Stop")
        stop = partial(self._stop, evaluation.rundir, row.id, now, "evaluation ")
        self.app.push_screen(dialog, lambda yes: stop() if yes else None)

    def action_evaluate(self) -> None:
        """Evaluate the marked runs, or the chosen one if none is marked."""
        chosen = self.query_one(RunList).chosen
        self.fastadv.open_evaluate([*self.fastadv.marked] or ([chosen] if chosen else []))

    def action_export(self) -> None:
        """Export the marked runs, or the chosen one if none is marked."""
        wanted = [*self.fastadv.marked] or [self.query_one(RunList).chosen]
        if rows := [row for run_id in wanted if (row := self._snapshot.row(run_id)) is not None]:
            offer_export(self, Exported(rows), FIGURE)
        else:
            self.notify(NO_RUN)

    def action_resume(self) -> None:
        if (view := self._view_to_act_on()) and (done := self.fastadv.resume(view.rundir)):
            self.notify(f"{done}: {self._label_of(view.rundir.id)}", markup=False)

    def action_again(self) -> None:
        if view := self._view_to_act_on():
            self.fastadv.open_launch(view.rundir)

    def _name_of(self, view: LiveRun) -> str:
        """The name that tells the run from all others."""
        row = self._snapshot.row(view.rundir.id)
        return name_among(row, self._snapshot.rows) if row else view.rundir.id

    def _label_of(self, run_id: str) -> str:
        """The name and the id of a run, for questions."""
        row = self._snapshot.row(run_id)
        return label_among(row, self._snapshot.rows) if row else run_id

    def _chosen_view(self) -> LiveRun | None:
        return self._snapshot.views.get(self.query_one(RunList).chosen or "")

    def _view_to_act_on(self) -> LiveRun | None:
        """As `_chosen_view`, but a run that no snapshot has yet is read now: a key right after a move must act, too.

        Without a run under the cursor, the user is told.
        """
        chosen = self.query_one(RunList).chosen
        if chosen is None:
            self.notify(NO_RUN)
        return self._chosen_view() or (MonitoredRun(RunDir(runs_dir() / chosen)).look() if chosen else None)


def _stop_question(view: LiveRun, now: bool) -> str:
    if view.verdict.status == "queued":
        kept = "What it has trained is kept." if view.state.started else "It has not started."
        return f"Remove it from the queue? {kept}"
    return "Kill it? Work since the last checkpoint is lost." if now else "Stop it? It saves a checkpoint first."
