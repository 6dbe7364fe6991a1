"""Results of `fastadv eval RUN` in the history: which of them a row keeps, and how they are shown."""

from collections.abc import Iterable
from datetime import datetime

from engine.config.units import threat_text
from engine.protocol.evaluations import EvaluationRecord, read
from engine.protocol.rundir import RunDir
from fastadv_tui.runs.state import RunState
from fastadv_tui.text.quantities import (
    attack_name,
    figure_warnings,
    format_percent,
    format_time,
    kind_of_images,
    stages_text,
)

MAX_EVALUATIONS = 10  # that a row keeps, because rows must stay small


def evaluations_of(rundir: RunDir, state: RunState) -> list[EvaluationRecord]:
    """The newest result of each kind, in order of time. Results of weights that the run has replaced are left out."""
    return _newest(record for record in read(rundir.evaluations) if not _replaced(record, state))


def replaced_evaluations(rundir: RunDir, state: RunState) -> list[tuple[float, EvaluationRecord]]:
    """The newest result of each kind that only earlier weights of the run have, with the epoch of these weights."""
    timeline = state.timeline
    if timeline is None:
        return []
    earlier = _newest(record for record in read(rundir.evaluations) if _replaced(record, state))
    present = {kind_of(record) for record in evaluations_of(rundir, state)}
    return [(round(timeline.epochs_at(each.step), 2), each) for each in earlier if kind_of(each) not in present]


def _newest(records: Iterable[EvaluationRecord]) -> list[EvaluationRecord]:
    """The newest record of each kind, in order of time."""
    newest: dict[str, EvaluationRecord] = {}
    for record in records:
        newest.pop(kind_of(record), None)  # so that the order is that of time
        newest[kind_of(record)] = record
    return list(newest.values())[-MAX_EVALUATIONS:]


def _replaced(record: EvaluationRecord, state: RunState) -> bool:
    """Whether the run has trained on since the evaluation of its last checkpoint."""
    now = state.saved.step if state.saved else state.started.from_step if state.started else 0
    return record.checkpoint == "last" and now > 0 and record.step not in (0, now)


def kind_of(record: EvaluationRecord) -> str:
    """What was measured: `PGD-50-10, eps 8/255, 1,000 test images of cifar10`. Results of one kind can be compared."""
    weights = f", {record.checkpoint}.pt" if record.checkpoint != "last" else ""
    images = f"{record.images:,} {kind_of_images(record.held_out)} of {record.dataset}"
    return f"{attack_name(record.attack)}, {threat_text(record.norm, record.eps)}, {images}{weights}"


def short_text(record: EvaluationRecord) -> str:
    """A result for a narrow place: `45.3% PGD-50-10 eps 8/255 on 1,000`."""
    best = f" {record.checkpoint}.pt" * (record.checkpoint != "last")
    attack = f"{attack_name(record.attack)} {threat_text(record.norm, record.eps)}"
    return f"{format_percent(record.robust)} {attack} on {record.images:,}{best}"


def replaced_text(epoch: float, record: EvaluationRecord) -> str:
    """The same of weights that training has replaced: `45.3% PGD-20 eps 8/255 on 1,000, at epoch 23`."""
    return f"{short_text(record)}, {at_epoch(epoch)}"


def at_epoch(epoch: float) -> str:
    return f"at epoch {epoch:.4g}"


def full_texts(records: Iterable[EvaluationRecord]) -> list[str]:
    """One line for each result, with its time and its warnings."""
    return [_full_text(record) for record in records]


def _local(iso: str) -> str:
    """A time in ISO 8601 as all other times are shown; as it is, if another program wrote something else there."""
    try:
        return format_time(datetime.fromisoformat(iso).timestamp())
    except ValueError:
        return iso


def _full_text(record: EvaluationRecord) -> str:
    warnings = figure_warnings(record.without_gradient, record.images, record.answers, record.fooled_by)
    said = "".join(f"; warning: {warning}" for warning in warnings)
    figures = f"clean {format_percent(record.clean)}, robust {format_percent(record.robust)}"
    stages = f" ({stages_text(record.fooled_by)})" if record.fooled_by else ""
    return f"{figures} under {kind_of(record)}{stages}; {_local(record.time)}, weights {record.weights}{said}"
