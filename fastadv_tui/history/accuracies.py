"""The accuracies of a run, or of runs that differ only in their seed, with what they were measured under."""

from collections.abc import Callable, Sequence
from typing import Literal

from engine.config.attacks import has_step_size
from engine.config.datasets import datasets
from engine.config.norms import LINF
from engine.protocol.evaluations import EvaluationRecord
from fastadv_tui.history.evaluations import kind_of
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import setting_of
from fastadv_tui.history.significance import Accuracy, Conditions, mean_over_seeds
from fastadv_tui.runs.foreign import FOREIGN

Which = Literal["clean", "robust"]


def conditions_of(row: Row) -> Conditions:
    """What `clean` and `robust` of a row were measured under."""
    return Conditions(
        dataset=row.dataset,
        data=row.data_fingerprint,
        held_out=bool(setting_of(row, "holdout")),
        attack=row.attack,
        norm=row.norm,
        eps=row.eps,
        step_size=_step_size(row),
        images=row.images,
        final=row.final,
    )


def accuracy_of(rows: Sequence[Row], which: Which) -> Accuracy | None:
    """The accuracy of a run, or its mean over runs that differ in their seed; None if there is none.

    rows: at least one. Runs that were measured unlike the first one that has an accuracy are left out.
    """
    return _mean(rows, lambda row: _own(row, which))


def evaluation_kinds(rows: Sequence[Row]) -> list[str]:
    """The kinds of results of `fastadv eval` that the runs have, each once."""
    return [*dict.fromkeys(kind_of(record) for row in rows for record in row.evaluations)]


def evaluated_accuracy_of(rows: Sequence[Row], kind: str) -> Accuracy | None:
    """As `accuracy_of`, for the robust accuracy of one kind of `fastadv eval`."""
    return _mean(rows, lambda row: _evaluated(row, kind))


def _own(row: Row, which: Which) -> Accuracy | None:
    value = getattr(row, which)
    if value is None:
        return None
    return Accuracy(value=value, conditions=conditions_of(row), unmoved=_unmoved(row, which))


def _unmoved(row: Row | EvaluationRecord, which: Which = "robust") -> float:
    return row.without_gradient / row.images if which == "robust" and row.images else 0.0


def _evaluated(row: Row, kind: str) -> Accuracy | None:
    record = next((record for record in reversed(row.evaluations) if kind_of(record) == kind), None)
    if record is None:
        return None
    conditions = Conditions(
        dataset=record.dataset,
        data=record.data,
        held_out=record.held_out,
        attack=record.attack,
        norm=record.norm,
        eps=record.eps,
        step_size=record.step_size,
        images=record.images,
    )
    return Accuracy(value=record.robust, conditions=conditions, unmoved=_unmoved(record))


def _mean(rows: Sequence[Row], measured: Callable[[Row], Accuracy | None]) -> Accuracy | None:
    found = [(row.seed, accuracy) for row in rows if (accuracy := measured(row)) is not None]
    if not found:
        return None
    conditions = found[0][1].conditions
    alike = [(seed, accuracy) for seed, accuracy in found if not accuracy.conditions.unlike(conditions)]
    by_seed: dict[int, list[float]] = {}
    for seed, accuracy in alike:
        by_seed.setdefault(seed, []).append(accuracy.value)
    unmoved = sum(accuracy.unmoved for _, accuracy in alike) / len(alike)
    return mean_over_seeds(by_seed, conditions, unmoved)


def _step_size(row: Row) -> float:
    """The step size of a run's evaluation attacks, as in `RunConfig.eval_step`; while training at least eps/4.

    0 if the attack chooses its own, and if nobody knows it.
    """
    if row.status == FOREIGN or not has_step_size(row.attack):
        return 0.0
    typed = setting_of(row, "eval.step_size")
    if typed is not None:
        return float(typed)
    spec = datasets().get(row.dataset) if row.norm == LINF else None
    size = spec.pgd_step if spec and spec.pgd_step is not None else row.eps / 4
    return size if row.final else max(size, row.eps / 4)
