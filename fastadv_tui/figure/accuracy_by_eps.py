"""The figure of accuracy against eps: what `fastadv eval` has measured at several sizes of the perturbation."""

import statistics
from collections.abc import Sequence

from engine.config.norms import LINF, Norm
from engine.config.units import typed_size
from engine.protocol.evaluations import EvaluationRecord
from fastadv_tui.errors import FigureError
from fastadv_tui.figure.curves import Curve, Curves
from fastadv_tui.history.evaluations import at_epoch
from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import attack_name
from fastadv_tui.text.sanitize import run_label

# attack, data set, number of images, whether held out, checkpoint, norm
Measured = tuple[str, str, int, bool, str, Norm]


def accuracy_by_eps(rows: Sequence[Row]) -> Curves:
    """One curve for each run. Raises: FigureError, if a run has no results at several eps."""
    measured = _most_measured(rows)
    attack, *_, norm = measured
    scale = 255 if norm == LINF else 1
    curves = []
    for row in rows:
        records, note = _records_of(row, measured)
        accuracy = {record.eps: record.robust for record in records}
        if row.final and not note and _kind_of_final(row) == measured and row.robust is not None:
            accuracy.setdefault(row.eps, row.robust)
        if not records or len(accuracy) < 2:
            raise FigureError(
                f"{run_label(row.name, row.id)} has no results of {attack_name(attack)} for several eps on the same "
                f"images; measure them: {_how(row, attack, norm)}"
            )
        accuracy[0.0] = records[-1].clean
        sizes = sorted(accuracy)
        curves.append([Curve([scale * eps for eps in sizes], [100 * accuracy[eps] for eps in sizes], note=note)])
    return Curves(
        curves, "ε (1/255)" if norm == LINF else f"ε ({norm})", f"Accuracy under {attack_name(attack)} (%)", points=True
    )


def _how(row: Row, attack: str, norm: Norm) -> str:
    """How to evaluate a run at several sizes up to its own, in the dashboard and in a shell. attack: empty: its own."""
    foreign = norm != row.norm
    own = (8 / 255 if norm == LINF else 1.0) if foreign else row.eps
    sizes = (max(round(part * 255 * own), 1) / 255 if norm == LINF else part * own for part in (0.25, 0.5))
    typed = ",".join(dict.fromkeys(typed_size(size, norm) for size in (*sizes, own)))
    options = f"{f'--attack {attack} ' * bool(attack)}{f'--norm {norm} ' * foreign}--eps {typed}"
    return f"key a with eps {typed}, or `fastadv eval {row.id} {options}`"


def _kind(record: EvaluationRecord) -> Measured:
    """What must agree for results to stand on one line."""
    return record.attack, record.dataset, record.images, record.held_out, record.checkpoint, record.norm


def _kind_of_final(row: Row) -> Measured:
    """The same of the final evaluation of a run."""
    return row.attack, row.dataset, row.images, bool(row.settings.get("holdout")), "last", row.norm


def _most_measured(rows: Sequence[Row]) -> Measured:
    """The kind with the most results of `fastadv eval`. Raises: FigureError, if there are no results."""
    present = [record for row in rows for record in row.evaluations]
    kinds = [_kind(record) for record in present or [record for row in rows for _, record in row.replaced]]
    if not kinds:
        row = rows[0]
        raise FigureError(
            f"no results at several eps: none of these runs was evaluated after its training; measure "
            f"{run_label(row.name, row.id)}: {_how(row, '', row.norm)}"
        )
    return statistics.mode(kinds)


def _records_of(row: Row, measured: Measured) -> tuple[list[EvaluationRecord], str]:
    """The results of a kind; those of earlier weights if the present weights have none, with a note of their epoch."""
    if present := [record for record in row.evaluations if _kind(record) == measured]:
        return present, ""
    earlier = [(epoch, record) for epoch, record in row.replaced if _kind(record) == measured]
    newest = max((epoch for epoch, _ in earlier), default=0.0)
    return [record for epoch, record in earlier if epoch == newest], at_epoch(newest)
