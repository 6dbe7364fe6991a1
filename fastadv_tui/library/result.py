"""The measured accuracies of a run."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from engine.config.norms import Norm
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import setting_of


class Result(Struct, frozen=True, kw_only=True):
    """Clean and robust accuracy under one attack, fractions in [0,1].

    source: `final` after training, `watch` after the last epoch so far, `eval` by `fastadv eval`.
    eps: a fraction in [0,1]; a plain number for norm l2. attack: such as `pgd-50-10`.
    images: their number. held_out: whether they are held-out training images, not test images.
    checkpoint: the weights, `last` or `best`. time: the end of `fastadv eval`; None for the other sources.
    """

    source: Literal["final", "watch", "eval"]
    attack: str
    norm: Norm
    eps: float
    clean: float
    robust: float
    images: int
    dataset: str
    held_out: bool = False
    checkpoint: str = "last"
    time: datetime | None = None


def results_of(row: Row) -> list[Result]:
    """The final evaluation, or the last one while training, and then the results of `fastadv eval`."""
    return [*_own(row), *_evaluated(row)]


def _own(row: Row) -> list[Result]:
    if row.clean is None or row.robust is None:
        return []
    return [
        Result(
            source="final" if row.final else "watch",
            attack=row.attack,
            norm=row.norm,
            eps=row.eps,
            clean=row.clean,
            robust=row.robust,
            images=row.images,
            dataset=row.dataset,
            held_out=bool(setting_of(row, "holdout")),
        )
    ]


def _evaluated(row: Row) -> list[Result]:
    return [
        Result(
            source="eval",
            attack=record.attack,
            norm=record.norm,
            eps=record.eps,
            clean=record.clean,
            robust=record.robust,
            images=record.images,
            dataset=record.dataset,
            held_out=record.held_out,
            checkpoint=record.checkpoint,
            time=datetime.fromisoformat(record.time),
        )
        for record in row.evaluations
    ]
