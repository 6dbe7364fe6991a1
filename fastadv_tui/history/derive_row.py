"""Derives the history row of a run from its run directory."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.protocol.events import Evaluated, Started
from engine.protocol.rundir import RunDir
from fastadv_tui.history.evaluations import evaluations_of, replaced_evaluations
from fastadv_tui.history.notes import read_notes
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import changed_settings
from fastadv_tui.runs.foreign import FOREIGN, Foreign, read_foreign
from fastadv_tui.runs.observe import observe
from fastadv_tui.runs.state import RunState
from fastadv_tui.runs.status import RunStatus

if TYPE_CHECKING:
    from engine.protocol.submission import Submission

MAX_CURVE_POINTS = 50
OF_SUBMISSION = (  # the fields of a row that `config.json` tells
    "origin", "name", "dataset", "method", "preset", "norm", "eps", "alpha", "seed", "total_epochs", "settings",
    "submitted", "code_fingerprint",
)  # fmt: skip


def row_of(rundir: RunDir, before: Row | None = None) -> Row:
    """The row of a run, derived from its run directory. A file that is missing or damaged leaves its fields empty.

    before: the row that the history has. It tells the settings of a run whose `config.json` cannot be read.
    """
    row = Row(id=rundir.id)
    seen = observe(rundir)
    if seen.submission is not None:
        _add_submission(row, seen.submission)
    elif (foreign := read_foreign(rundir)) is not None:
        return _foreign_row(row, rundir, seen.state, foreign)
    elif before is not None:
        for name in OF_SUBMISSION:
            setattr(row, name, getattr(before, name))
    _add_progress(row, seen.state)
    row.evaluations = evaluations_of(rundir, seen.state)
    row.replaced = replaced_evaluations(rundir, seen.state)
    _add_status(row, seen.status)
    row.reason = seen.problem or row.reason
    row.ended = seen.status.ended or 0.0
    row.peak_memory = seen.exit.peak_memory if seen.exit else 0
    _add_notes(row, rundir)
    return row


def row_as_now(row: Row, state: RunState, status: RunStatus) -> Row:
    """A new row for a live run: the given row with what the events and the processes tell now.

    Whoever follows a live run takes its row from here, so that every list and comparison shows the same figures.
    """
    newest = replace(row)
    _add_progress(newest, state)
    newest.total_epochs = row.total_epochs or state.total_epochs
    _add_status(newest, status)
    return newest


def thinned(points: list[Evaluated], limit: int = MAX_CURVE_POINTS) -> list[tuple[float, float, float]]:
    """At most `limit` points as (epoch, clean, robust), evenly spread.

    The first point, the last one and the most robust one are kept.
    """
    if len(points) > limit:
        kept = [round(n * (len(points) - 1) / (limit - 1)) for n in range(limit)]
        best = max(range(len(points)), key=lambda place: points[place].robust)
        if best not in kept:
            kept[min(range(1, limit - 1), key=lambda n: abs(kept[n] - best))] = best
        points = [points[place] for place in kept]
    return [(round(p.epoch, 2), round(p.clean, 4), round(p.robust, 4)) for p in points]


def _add_submission(row: Row, submission: "Submission") -> None:
    config, row.origin = submission.config, submission.id
    row.name, row.dataset, row.method, row.preset = config.title, config.dataset, config.method.name, config.preset
    row.eps, row.alpha, row.seed, row.total_epochs = config.eps, config.alpha, config.seed, config.epochs
    row.norm = config.norm
    row.settings, row.submitted = changed_settings(config), submission.submitted
    row.code_fingerprint = submission.code_fingerprint


def _foreign_row(row: Row, rundir: RunDir, state: RunState, foreign: Foreign) -> Row:
    """The row of a run that another program has trained. The status says so, and the reason says where it is from."""
    row.name, row.dataset, row.method, row.settings = foreign.name, foreign.dataset, foreign.method, foreign.settings
    row.norm, row.eps, row.seed = foreign.norm, foreign.eps, foreign.seed
    _add_progress(row, state)
    row.total_epochs, row.images_per_second, row.gpu_memory = state.total_epochs, 0.0, None
    row.clean, row.robust, row.final = foreign.clean, foreign.robust, foreign.final
    row.attack, row.images = foreign.attack, foreign.images
    row.status, row.reason, row.submitted = FOREIGN, foreign.origin, foreign.imported
    _add_notes(row, rundir)
    return row


def _add_notes(row: Row, rundir: RunDir) -> None:
    notes = read_notes(rundir)
    row.name, row.tags, row.note, row.pinned = notes.name or row.name, notes.tags, notes.note, notes.pinned


def _mean_rate(started: Started, run: RunState) -> float:
    """Training images per second over all epochs; 0.0 before the first step.

    Files of older versions know no time without evaluations.
    """
    last = run.last_step
    trained = (last.trained or last.elapsed) if last else 0.0
    return started.train_images * run.epochs / trained if trained > 0 else 0.0


def _add_status(row: Row, status: RunStatus) -> None:
    row.submitted = row.submitted or row.started
    row.status, row.stopping, row.host, row.reason = status.status, status.stopping, status.host, status.reason


def _add_progress(row: Row, run: RunState) -> None:
    row.started, row.epochs = run.begun, round(run.epochs, 3)
    row.duration, row.training_time = run.elapsed, run.trained
    row.curve, row.alarms = thinned(run.watch), [alarm.kind for alarm in run.alarms]
    row.rollbacks = [(event.epoch, event.message) for event in run.rollbacks]
    if run.started:
        row.data_fingerprint, row.flops = run.started.data_fingerprint, run.started.flops
        row.images_per_second = _mean_rate(run.started, run)
        row.gpu_memory = run.gpu_memory if run.on_gpu else None
    last = run.last_accuracy
    if last is not None:
        row.clean, row.robust, row.attack, row.images = last.clean, last.robust, last.attack, last.images
        row.final, row.without_gradient, row.answers = last.stage == "final", last.without_gradient, last.answers
