"""What robust accuracy is drawn against: epochs, training time, work, or the eps of several evaluations."""

import statistics
from collections.abc import Callable, Sequence

from engine.config.norms import LINF, Norm
from engine.protocol.evaluations import EvaluationRecord
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import setting_of
from fastadv_tui.history.significance import std_over_seeds
from fastadv_tui.history.work import flops_until, work_until
from fastadv_tui.runs.foreign import FOREIGN

Point = tuple[float, float]  # x, and an accuracy in [0,1]
CLEAN, ROBUST = 1, 2  # places in a point of a row's curve


def against_epochs(rows: Sequence[Row], accuracy: int = ROBUST) -> list[Point]:
    """Accuracy after each epoch: of one run, or the mean over runs at the epochs that all of them have."""
    return _mean_curve(rows, lambda row, epoch: epoch, accuracy)


def spread(rows: Sequence[Row], accuracy: int = ROBUST) -> list[float]:
    """The sample standard deviation over runs at each point of `against_epochs`; empty for fewer than MIN_SEEDS."""
    values = _by_epoch(rows, accuracy).values()
    return [std for found in values if (std := std_over_seeds(found)) is not None]


def against_time(rows: Sequence[Row], accuracy: int = ROBUST) -> list[Point]:
    """Accuracy after so many seconds of training, without evaluations. The history keeps the time of all epochs: it
    is spread over them by their work. Runs of unknown time have no points."""
    return _mean_curve([row for row in rows if row.duration], _seconds, accuracy)


def against_work(rows: Sequence[Row], accuracy: int = ROBUST) -> list[Point]:
    """Accuracy after so many floating-point operations. Runs of unknown work have no points."""
    return _mean_curve([row for row in rows if row.flops], flops_until, accuracy)


def against_eps(rows: Sequence[Row]) -> list[Point]:
    """Robust accuracy against eps, as stored, of the attack and norm that measured most of them; clean accuracy at 0.

    Several measurements of one eps are averaged. Empty if no attack measured two eps.
    """
    most = _most_measured(rows)
    robust = _by_eps(most)
    if len(robust) < 2:
        return []
    means = {eps: statistics.fmean(values) for eps, values in robust.items()}
    clean = statistics.fmean(record.clean for record in most)
    return sorted({0.0: clean, **means}.items())


def norm_of_eps(rows: Sequence[Row]) -> Norm:
    """The norm of the curve that `against_eps` returns."""
    return next((record.norm for record in _most_measured(rows)), LINF)


def attack_of_eps(rows: Sequence[Row]) -> str:
    """The attack of the curve that `against_eps` returns; empty without one."""
    return next((record.attack for record in _most_measured(rows)), "")


def attack_of_curve(row: Row) -> str:
    """The attack of the robust accuracy while training: `pgd-10`. The final evaluation mostly has a stronger one.

    Empty for a foreign run that does not tell it.
    """
    if row.status == FOREIGN:
        return row.attack
    return row.attack if row.attack and not row.final else f"pgd-{setting_of(row, 'watch.steps')}"


def _most_measured(rows: Sequence[Row]) -> list[EvaluationRecord]:
    """The results that were measured alike but for eps, of the attack with the most eps."""
    by_attack: dict[tuple[object, ...], list[EvaluationRecord]] = {}
    for record in (record for row in rows for record in row.evaluations):
        alike = (
            record.attack,
            record.norm,
            record.images,
            record.dataset,
            record.data,
            record.held_out,
            record.checkpoint,
        )
        by_attack.setdefault(alike, []).append(record)
    return max(by_attack.values(), key=lambda records: len(_by_eps(records)), default=[])


def _by_eps(records: Sequence[EvaluationRecord]) -> dict[float, list[float]]:
    found: dict[float, list[float]] = {}
    for record in records:
        found.setdefault(round(record.eps, 9), []).append(record.robust)
    return found


def _mean_curve(rows: Sequence[Row], x: Callable[[Row, float], float], accuracy: int) -> list[Point]:
    """The mean accuracy at each epoch that all runs have, against the mean of `x` over the same runs."""
    points = []
    for epoch, values in _by_epoch(rows, accuracy).items():
        averaged = [row for row in rows if row.curve][: len(values)]
        points.append((statistics.fmean(x(row, epoch) for row in averaged), statistics.fmean(values)))
    return points


def _by_epoch(rows: Sequence[Row], accuracy: int) -> dict[float, list[float]]:
    """The accuracies of all runs at each epoch that all of them have. Without one, the first run stands for all."""
    curves = [{point[0]: point[accuracy] for point in row.curve} for row in rows if row.curve]
    shared = [epoch for epoch in curves[0] if all(epoch in curve for curve in curves)] if curves else []
    if curves and not shared:
        curves, shared = curves[:1], [*curves[0]]
    return {epoch: [curve[epoch] for curve in curves] for epoch in shared}


def _seconds(row: Row, epoch: float) -> float:
    """Runs of older versions know only the time with evaluations."""
    return (row.training_time or row.duration) * work_until(row, epoch) / max(work_until(row, row.epochs), 1e-9)
