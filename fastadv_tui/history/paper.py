"""Published results as rows that stand beside the user's own runs. They are read-only, and no file holds them."""

import math
from collections.abc import Iterable, Sequence
from functools import cache

from engine.config.units import threat_text
from engine.protocol.evaluations import EvaluationRecord
from fastadv_tui.history.published_results import PUBLISHED, Published
from fastadv_tui.history.row import Row
from fastadv_tui.history.variants import has_settings

PAPER = "paper"  # the status of these rows
TEST_IMAGES = {"cifar10": 10_000, "mnist": 10_000, "imagenet": 50_000}
AUTO_ATTACK = "aa"
YARDSTICKS = ("pgd-7", "fgsm", "fgsm-mnist", "fgsm-imagenet-2", "fgsm-imagenet-4")  # ids, shown beside any method


def is_published(row: Row) -> bool:
    """Whether a row is a published result and no run."""
    return row.status == PAPER


@cache
def published_rows() -> tuple[Row, ...]:
    """All published results."""
    return tuple(_row_of(published) for published in PUBLISHED)


def fitting(rows: Iterable[Row], every: bool = False) -> Sequence[Row]:
    """The published results to show beside these rows, if all rows share data set, eps and norm; else none.

    These are the yardsticks, and for each variant of a method (its start, its step size, early stopping) that a row has
    the first result in the list. every: all results of these variants, such as reruns by others.
    """
    rows = list(rows)
    if len({(row.dataset, row.eps, row.norm) for row in rows}) != 1:
        return []
    near = [(one, row) for one, row in zip(PUBLISHED, published_rows(), strict=True) if _near(one, rows[0])]
    wanted = {_variant(one) for row in rows for one in _closest(near, row)}
    chosen: list[Row] = []
    seen: set[str] = set()
    for one, row in near:
        variant = _variant(one)
        if one.id in YARDSTICKS or (variant in wanted and (every or variant not in seen)):
            chosen.append(row)
            seen.add(variant)
    return chosen


def why_none_fits(rows: Iterable[Row]) -> str:
    """Why `fitting` finds nothing for these rows."""
    rows = list(rows)
    if len({(row.dataset, row.eps, row.norm) for row in rows}) != 1:
        return "published results are for runs of one data set, eps and norm, and these runs have several"
    dataset = rows[0].dataset
    if all(one.dataset != dataset for one in PUBLISHED):
        return f"no results are published for {dataset}"
    return f"no results are published for {dataset} with {threat_text(rows[0].norm, rows[0].eps)}"


def _row_of(published: Published) -> Row:
    """A result under AutoAttack alone has it as its robust accuracy; beside a weaker attack it is an evaluation."""
    robust = published.autoattack if published.robust is None else published.robust
    both = published.robust is not None and published.autoattack is not None
    return Row(
        id=f"{PAPER}:{published.id}",
        name=published.name,
        dataset=published.dataset,
        preset=published.preset,
        method=published.method,
        norm=published.norm,
        eps=published.eps,
        settings=dict(published.settings),
        status=PAPER,
        clean=_fraction(published.clean),
        robust=_fraction(robust),
        attack=AUTO_ATTACK if published.robust is None else published.attack,
        images=TEST_IMAGES[published.dataset],
        final=True,
        epochs=float(published.epochs),
        duration=60 * published.minutes,
        evaluations=[_under_autoattack(published)] if both else [],
        note=_note(published),
    )


def _under_autoattack(published: Published) -> EvaluationRecord:
    return EvaluationRecord(
        time="",
        checkpoint="last",
        weights="",
        dataset=published.dataset,
        data="",
        attack=AUTO_ATTACK,
        norm=published.norm,
        eps=published.eps,
        step_size=0.0,
        seed=0,
        images=TEST_IMAGES[published.dataset],
        clean=(published.clean or 0.0) / 100,
        robust=(published.autoattack or 0.0) / 100,
    )


def _note(published: Published) -> str:
    """Source, network, epochs and number of trainings."""
    parts = [
        published.source.words,
        published.network,
        f"{published.epochs} epochs" if published.epochs else "",
        f"mean of {published.seeds} seeds" if published.seeds > 1 else "",
    ]
    return "; ".join(filter(None, parts))


def _fraction(percent: float | None) -> float | None:
    return None if percent is None else round(percent / 100, 6)


def _near(published: Published, row: Row) -> bool:
    """Whether a result is for the data set, eps and norm of a row."""
    same_eps = math.isclose(row.eps, published.eps, rel_tol=1e-6)
    return row.dataset == published.dataset and same_eps and row.norm == published.norm


def _closest(near: Sequence[tuple[Published, Row]], row: Row) -> list[Published]:
    """The results of the row's method whose settings the row has; of these, those that say most."""
    found = [one for one, _ in near if one.method == row.method and has_settings(row, one.settings)]
    most = max((len(one.settings) for one in found), default=0)
    return [one for one in found if len(one.settings) == most]


def _variant(published: Published) -> str:
    """A text that is the same for all results of one variant of a method."""
    return repr((published.method, sorted(published.settings.items())))
