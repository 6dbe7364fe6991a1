"""Groups of runs that differ only in their seed, with mean and standard deviation of the accuracies."""

import statistics
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import EXCLUDED_SETTINGS, WITHOUT_EFFECT
from fastadv_tui.history.significance import std_over_seeds
from fastadv_tui.text.quantities import format_percent


class Group(Struct, frozen=True):
    """Runs that differ only in their seed.

    clean, robust: mean accuracies in [0,1]; None if no run has one.
    clean_std, robust_std: sample standard deviations (divided by n - 1); None for fewer than MIN_SEEDS accuracies.
    """

    rows: list[Row]
    clean: float | None
    clean_std: float | None
    robust: float | None
    robust_std: float | None

    @property
    def count(self) -> int:
        return len(self.rows)


def group_by_seed(rows: Sequence[Row]) -> list[Group]:
    """Groups of runs that agree in everything but the seed, in the order of the given runs.

    The runs of a group are in the order of their seeds, so that a group has the same first run in every list.
    A run and the copies of its folder are one trial, so they count once.
    """
    groups: dict[str, list[Row]] = {}
    for row in _without_copies(rows):
        groups.setdefault(_all_but_seed(row), []).append(row)
    return [_group(sorted(members, key=lambda row: (row.seed, row.submitted))) for members in groups.values()]


def mean_std(mean: float | None, std: float | None) -> str:
    """Mean and standard deviation, fractions in [0,1], as `45.3 ± 0.4%`; only the mean if `std` is None."""
    if mean is None or std is None:
        return format_percent(mean)
    return f"{100 * mean:.1f} ± {100 * std:.1f}%"


def seeds_text(rows: Sequence[Row]) -> str:
    """The seeds of a group in ascending order, as `0,1,2`.

    A seed that several runs have is no independent trial: `0 (2 runs),1`.
    """
    counts = Counter(row.seed for row in rows)
    return ",".join(f"{seed} ({count} runs)" if count > 1 else str(seed) for seed, count in sorted(counts.items()))


def counted_twice(groups: Sequence[Group]) -> list[str]:
    """A line for each seed with several results of the same settings and code. They are no independent trials."""
    lines = []
    for group in groups:
        trials: dict[tuple[int, str], list[str]] = {}
        for row in group.rows:
            if row.robust is not None:
                trials.setdefault((row.seed, row.code_fingerprint), []).append(row.id)
        lines += [
            f"{group.rows[0].name}: seed {seed} is counted {len(ids)} times, with the same settings and code "
            f"({', '.join(ids)}); these runs are no independent trials"
            for (seed, _), ids in trials.items()
            if len(ids) > 1
        ]
    return lines


def _without_copies(rows: Sequence[Row]) -> list[Row]:
    """One row for each run: of a run and the copies of its folder, the run itself if it is there."""
    kept: dict[str, Row] = {}
    for row in rows:
        origin = row.origin or row.id
        if origin not in kept or row.id == origin:
            kept[origin] = row
    return list(kept.values())


def _group(rows: list[Row]) -> Group:
    clean, robust = _figures(rows, "clean"), _figures(rows, "robust")
    return Group(rows, _mean(clean), std_over_seeds(clean), _mean(robust), std_over_seeds(robust))


def _all_but_seed(row: Row) -> str:
    """What runs of one group agree in. A run whose settings nobody knows is alone."""
    if not row.preset and not row.settings:
        return row.id
    settings = {key: value for key, value in row.settings.items() if key not in (*EXCLUDED_SETTINGS, *WITHOUT_EFFECT)}
    measured = (row.attack, row.images, row.final, row.data_fingerprint)
    return repr((row.dataset, row.preset, row.method, row.norm, row.eps, row.alpha, sorted(settings.items()), measured))


def _figures(rows: Sequence[Row], key: str) -> list[float]:
    return [figure for row in rows if (figure := getattr(row, key)) is not None]


def _mean(figures: list[float]) -> float | None:
    return statistics.fmean(figures) if figures else None
