"""Runs side by side: results with the best marked, only the settings that differ, and seeds as mean ± std."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from engine.config.settings import settings
from engine.config.units import units
from fastadv_tui.history.columns import COLUMNS, measured_by
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import differing

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


def compare(rows: Sequence[Row]) -> Table:
    """The runs side by side."""
    return Table(
        runs=[row.id for row in rows],
        results=_results(rows),
        settings=[(key, [Cell(_shown(key, value)) for value in values]) for key, values in differing(rows)],
        warnings=_warnings(rows),
    )


def _results(rows: Sequence[Row]) -> list[tuple[str, list[Cell]]]:
    return [
        ("name", [Cell(row.name) for row in rows]),
        ("status", [Cell(row.status) for row in rows]),
        _marked(rows, "clean", max),
        _marked(rows, "robust", max),
        ("attack", [Cell(measured_by(row) if row.attack else "-") for row in rows]),
        ("epochs", [Cell(f"{row.epochs:.4g}") for row in rows]),
        _marked(rows, "duration", min),
        _marked(rows, "images_per_second", max),
        _marked(rows, "flops", min),
        _marked(rows, "peak_memory", min),
    ]


def _marked(rows: Sequence[Row], key: str, better: Better) -> tuple[str, list[Cell]]:
    """The line of one column, with the best value marked unless all are the same."""
    column = COLUMNS[key]
    values = [column.value(row) for row in rows]
    known = [value for value in values if value is not None]
    best = better(known) if len(set(known)) > 1 else None
    texts = [column.text_or(row, "-") for row in rows]
    return column.title, [
        Cell(text, value is not None and value == best) for text, value in zip(texts, values, strict=True)
    ]


def _shown(key: str, value: Any) -> str:
    if key in settings() and settings()[key].is_size:
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
