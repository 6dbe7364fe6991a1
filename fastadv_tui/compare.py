"""Runs side by side: results with the best marked, only the settings that differ, and seeds as mean ± std."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from engine.config.keys import fields
from engine.config.presets import preset_settings
from engine.config.units import units
from fastadv_tui.rows import UNCOUNTED, Row, plain
from fastadv_tui.words import attack_name, duration, percent, size, work

SIZES = ("eps", "method.alpha", "eval.step_size")
Better = Callable[[Sequence[float]], float]


class Cell(Struct, frozen=True):
    """Text for people, and whether it is the best of its line."""

    text: str
    best: bool = False


class Table(Struct, frozen=True):
    """A comparison: one column for each run, lines of results and of settings that differ; what to beware of."""

    runs: list[str]
    results: list[tuple[str, list[Cell]]]
    settings: list[tuple[str, list[Cell]]]
    warnings: list[str]


class Group(Struct, frozen=True):
    """Runs that differ in their seed only. Accuracies in [0,1]; std is the sample's (n - 1), None for one run."""

    rows: list[Row]
    clean: float | None
    clean_std: float | None
    robust: float | None
    robust_std: float | None

    @property
    def count(self) -> int:
        return len(self.rows)


def compare(rows: Sequence[Row]) -> Table:
    """The runs side by side."""
    return Table(
        runs=[row.id for row in rows],
        results=_results(rows),
        settings=[(key, [Cell(_shown(key, value)) for value in values]) for key, values in differing(rows)],
        warnings=_warnings(rows),
    )


def settings_of(row: Row) -> dict[str, Any]:
    """Every setting of a run by dotted key: its own, its preset's, the defaults."""
    defaults = {key: None if field.required else field.default for key, field in fields().items()}
    usual = {**defaults, **preset_settings(row.preset, row.method), "method.name": row.method, "eps": row.eps}
    own = {**row.settings, "dataset": row.dataset, "preset": row.preset, "seed": row.seed}
    return {key: plain(value) for key, value in {**usual, **own}.items()}


def differing(rows: Sequence[Row]) -> list[tuple[str, list[Any]]]:
    """The settings in which the runs differ: key and the value of each run."""
    everything = [settings_of(row) for row in rows]
    keys = [key for key in everything[0] if key not in ("name", "data_dir", "device")] if rows else []
    table = [(key, [settings.get(key) for settings in everything]) for key in keys]
    return [(key, values) for key, values in table if any(value != values[0] for value in values)]


def group_by_seed(rows: Sequence[Row]) -> list[Group]:
    """Runs that share everything but the seed, in the order of their first run."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_all_but_seed(row), []).append(row)
    return [_group(members) for members in groups.values()]


def mean_std(mean: float | None, std: float | None) -> str:
    """`45.3 ± 0.4%`."""
    if mean is None or std is None:
        return percent(mean)
    return f"{100 * mean:.1f} ± {100 * std:.1f}%"


def _group(rows: list[Row]) -> Group:
    clean, robust = _figures(rows, "clean"), _figures(rows, "robust")
    return Group(rows, _mean(clean), _std(clean), _mean(robust), _std(robust))


def _all_but_seed(row: Row) -> str:
    settings = {key: value for key, value in row.settings.items() if key not in UNCOUNTED}
    measured = (row.attack, row.images, row.final, row.data_fingerprint)
    return repr((row.dataset, row.preset, row.method, sorted(settings.items()), measured))


def _figures(rows: Sequence[Row], key: str) -> list[float]:
    return [figure for row in rows if (figure := getattr(row, key)) is not None]


def _mean(figures: list[float]) -> float | None:
    return statistics.fmean(figures) if figures else None


def _std(figures: list[float]) -> float | None:
    return statistics.stdev(figures) if len(figures) > 1 else None


def _results(rows: Sequence[Row]) -> list[tuple[str, list[Cell]]]:
    return [
        ("name", [Cell(row.name) for row in rows]),
        ("status", [Cell(row.status) for row in rows]),
        ("clean", _marked([row.clean for row in rows], percent, max)),
        ("robust", _marked([row.robust for row in rows], percent, max)),
        ("attack", [Cell(f"{attack_name(row.attack)} on {row.images:,}" if row.attack else "-") for row in rows]),
        ("epochs", [Cell(f"{row.epochs:.4g}") for row in rows]),
        ("took", _marked([row.duration or None for row in rows], duration, min)),
        ("images/s", _marked([row.images_per_second or None for row in rows], _rate, max)),
        ("work", _marked([row.flops or None for row in rows], _work, min)),
        ("memory", _marked([row.peak_memory or None for row in rows], _memory, min)),
    ]


def _marked(figures: Sequence[float | None], say: Callable[[float | None], str], better: Better) -> list[Cell]:
    known = [figure for figure in figures if figure is not None]
    best = better(known) if len(set(known)) > 1 else None
    return [Cell(say(figure), figure is not None and figure == best) for figure in figures]


def _rate(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:,.0f}"


def _memory(figure: float | None) -> str:
    return "-" if figure is None else size(figure)


def _work(figure: float | None) -> str:
    return "-" if figure is None else work(figure)


def _shown(key: str, value: Any) -> str:
    if key in SIZES:
        return "follows eps" if value is None else f"{units(value)}/255"
    return "-" if value is None else str(value)


def _warnings(rows: Sequence[Row]) -> list[str]:
    """Why the figures might not be comparable."""
    checks: dict[str, set[Any]] = {
        "the data differ": {row.data_fingerprint for row in rows if row.data_fingerprint},
        "the attacks of the evaluation differ": {row.attack for row in rows},
        "the evaluations are of different numbers of images": {row.images for row in rows},
        "the evaluations are for different eps": {row.eps for row in rows},
        "some figures are of the final evaluation, some were watched while training": {row.final for row in rows},
        "the code of the engine differs": {row.code_fingerprint for row in rows if row.code_fingerprint},
    }
    return [warning for warning, found in checks.items() if len(found) > 1]
