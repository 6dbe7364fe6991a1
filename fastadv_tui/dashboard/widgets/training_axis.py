"""The x axis of the charts of training, and what happened to a run as marks on this axis."""

from msgspec import Struct

from engine.protocol.events import Alarm, Evaluated, RolledBack, Step
from fastadv_tui.dashboard.chart.series import Mark
from fastadv_tui.runs.state import RunState


class TrainingAxis(Struct, frozen=True):
    """Epochs, or seconds of training if `time` is set: those of the epochs alone, as in tables and figures.

    Files of older versions know only the time with evaluations, which stands in for it.
    """

    time: bool

    def x_of(self, event: Step | Evaluated | Alarm | RolledBack) -> float:
        return float((event.trained or event.elapsed) if self.time else event.epoch)

    def planned_end(self, run: RunState, live: bool) -> float:
        """The end of a run: the planned one of a live run, else where the run ended."""
        if not self.time:
            return run.total_epochs if live else run.epochs
        return (run.trained or run.elapsed) + ((run.eta_seconds or 0.0) if live else 0.0)

    def marks(self, run: RunState) -> tuple[Mark, ...]:
        """The alarms, rollbacks, resumes and later phases of a run."""
        return (*self._alarms(run), *self._rollbacks(run), *self._resumes(run), *self._phases(run))

    def _alarms(self, run: RunState) -> list[Mark]:
        return [Mark(self.x_of(alarm), "!", alarm.kind) for alarm in run.alarms]

    def _rollbacks(self, run: RunState) -> list[Mark]:
        """Marks where training went on after it was rolled back: what came later before is not drawn."""
        at = [self.x_of(event) if self.time else event.to_epoch for event in run.rollbacks]
        return [Mark(x, "↶", "rolled back") for x in at]

    def _resumes(self, run: RunState) -> list[Mark]:
        """Marks where attempts after the first began."""
        return [Mark(at, "↻", "resumed") for step in run.resumed_at if (at := self._x_of_step(run, step)) is not None]

    def _phases(self, run: RunState) -> list[Mark]:
        """Marks where the phases after the first begin. On a time axis, only phases that have begun have marks."""
        stretches = run.timeline.stretches[1:] if run.timeline else ()
        if not self.time:
            return [Mark(float(stretch.phase.begin), "▽", "phase") for stretch in stretches]
        begun = (self._x_of_step(run, stretch.first_step + 1) for stretch in stretches)
        return [Mark(at, "▽", "phase") for at in begun if at is not None]

    def _x_of_step(self, run: RunState, step: int) -> float | None:
        after = next((event for event in run.steps if event.step >= step), None)
        return None if after is None else self.x_of(after)
