"""What the events of a run, or its row if the events are gone, tell for a figure."""

from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct

from engine.protocol.events import Evaluated
from engine.protocol.rundir import RunDir
from fastadv_tui.history.row import Row
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.state import RunState, load


class Point(Struct, frozen=True):
    """An evaluation during training. Accuracies are in [0,1], seconds and flops are those of training until then.

    seconds, flops: None if unknown. attack: empty if unknown.
    """

    epoch: float
    clean: float
    robust: float
    seconds: float | None
    flops: float | None
    attack: str = ""


def points_of(row: Row) -> list[Point]:
    """The evaluations after the epochs, in their order. Without a run folder: the at most 50 points of the row."""
    state = state_of(row)
    if state.watch:
        return [Point(e.epoch, e.clean, e.robust, _seconds(state, e), _flops(state, e), e.attack) for e in state.watch]
    share = [(epoch, epoch / row.total_epochs if row.total_epochs else 0.0) for epoch, _, _ in row.curve]
    return [
        Point(epoch, clean, robust, None, part * row.flops or None)
        for (epoch, part), (_, clean, robust) in zip(share, row.curve, strict=True)
    ]


def losses_of(row: Row) -> tuple[list[float], list[float]]:
    """Epochs and training losses of a run; empty if its events are gone."""
    steps = state_of(row).steps
    return [step.epoch for step in steps], [step.loss for step in steps]


def state_of(row: Row) -> RunState:
    """The state of a run; an empty one if its folder is gone."""
    return load(RunDir(runs_dir() / row.id))


def _seconds(state: RunState, event: Evaluated) -> float | None:
    """Seconds of training until an evaluation. Files of older versions know the time with evaluations, or none."""
    if event.elapsed or not state.steps:
        return event.trained or event.elapsed or None
    place = bisect_left(state.steps, event.step, key=lambda step: step.step)
    return state.steps[min(place, len(state.steps) - 1)].elapsed or None


def _flops(state: RunState, event: Evaluated) -> float | None:
    """Floating-point operations of training until an evaluation. Phases with larger images cost more."""
    timeline = state.timeline
    if timeline is None or state.started is None:
        return None
    if not timeline.flops:
        return state.started.flops * event.epoch / timeline.epochs or None
    return timeline.flops - timeline.work_left(event.step) * timeline.at(event.step).flops_per_step


def interpolated(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """The value at `x` on the line through points with ascending `xs`. x: between the first and the last of `xs`."""
    if len(xs) == 1:
        return ys[0]
    place = min(max(bisect_left(xs, x), 1), len(xs) - 1)
    (x0, x1), (y0, y1) = xs[place - 1 : place + 1], ys[place - 1 : place + 1]
    return y1 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
