"""Published results, as rows that stand beside the user's own runs.

Source: Wong, Rice and Kolter, "Fast is better than free", ICLR 2020, arXiv 2001.03994, their recipes with the schedule
of DAWNBench. Robust accuracy is under PGD-50-10 on all test images. Their times are on one GeForce RTX 2080 Ti.
"""

import math
from collections.abc import Iterable, Sequence

from engine.config.norms import LINF
from fastadv_tui.history.row import Row

SOURCE = "Wong, Rice and Kolter, ICLR 2020, arXiv 2001.03994"
PAPER = "paper"  # the status of these rows


def _published(
    run_id: str, name: str, dataset: str, preset: str, method: str, eps: float, robust: float,
    clean: float | None = None, minutes: float = 0.0,
) -> Row:  # fmt: skip
    return Row(
        id=f"paper:{run_id}", name=name, dataset=dataset, preset=preset, method=method, eps=eps, status=PAPER,
        clean=clean, robust=robust, attack="pgd-50-10", images=10_000, final=True, duration=60 * minutes, note=SOURCE,
    )  # fmt: skip


ROWS = (
    _published("pgd-7", "PGD-7", "cifar10", "wong2020", "pgd", 8 / 255, robust=0.5069, clean=0.8246, minutes=68.8),
    _published(
        "fgsm", "FGSM, random start", "cifar10", "wong2020", "fgsm", 8 / 255, robust=0.4606, clean=0.8381, minutes=12.17
    ),
    _published("fgsm-mnist", "FGSM, random start", "mnist", "wong2020-mnist", "fgsm", 0.3, robust=0.8877),
)


def is_published(row: Row) -> bool:
    """Whether a row is a published result and no run."""
    return row.status == PAPER


def fitting(rows: Iterable[Row]) -> Sequence[Row]:
    """The published results to show beside these rows: those of their data set and eps, if all rows share both."""
    asked: tuple[str, float] | None = None
    for row in rows:
        if row.norm != LINF or (asked is not None and asked != (row.dataset, row.eps)):
            return []
        asked = row.dataset, row.eps
    return [row for row in ROWS if asked and row.dataset == asked[0] and math.isclose(row.eps, asked[1], rel_tol=1e-6)]
