"""A comparison of runs side by side: their results, the settings that differ, and warnings."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from fastadv_tui.history.columns import COLUMNS, evaluation_text, status_word
from fastadv_tui.history.evaluations import kind_of
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import differing_settings, setting_text
from fastadv_tui.text.quantities import format_percent

Better = Callable[[Sequence[float]], float]


class Cell(Struct, frozen=True):
    """The text of one cell, and whether its value is the best of the line."""

    text: str
    best: bool = False


class Table(Struct, frozen=True):
    """A comparison with one column for each run.

    results, settings: the lines, each with its label and one cell for each run; only settings that differ.
    warnings: sentences that say why the results might not be comparable.
    """

    runs: list[str]
    results: list[tuple[str, list[Cell]]]
    settings: list[tuple[str, list[Cell]]]
    warnings: list[str]


def compare(rows: Sequence[Row]) -> Table:
    """Compare the runs side by side."""
    return Table(
        runs=[row.id for row in rows],
        results=_results(rows),
        settings=[
            (key, [Cell(setting_text(key, value)) for value in values]) for key, values in differing_settings(rows)
        ],
        warnings=_warnings(rows),
    )


def _results(rows: Sequence[Row]) -> list[tuple[str, list[Cell]]]:
    return [
        ("name", [Cell(row.name) for row in rows]),
        ("status", [Cell(status_word(row)) for row in rows]),
        _line_with_best(rows, "clean", max),
        _line_with_best(rows, "robust", max),
        ("attack", [Cell(evaluation_text(row) if row.attack else "-") for row in rows]),
        *_evaluations(rows),
        ("epochs", [Cell(f"{row.epochs:.4g}") for row in rows]),
        _line_with_best(rows, "duration", min),
        _line_with_best(rows, "images_per_second", max),
        _line_with_best(rows, "flops", min),
        _line_with_best(rows, "peak_memory", min),
    ]


def _line_with_best(rows: Sequence[Row], key: str, better: Better) -> tuple[str, list[Cell]]:
    """The line of one column. The best value is marked, unless all known values are equal."""
    column = COLUMNS[key]
    values, texts = [column.value(row) for row in rows], [column.text_or(row, "-") for row in rows]
    return column.title, _cells(values, texts, better)


def _cells(values: Sequence[float | None], texts: Sequence[str], better: Better) -> list[Cell]:
    known = [value for value in values if value is not None]
    best = better(known) if len(set(known)) > 1 else None
    return [Cell(text, value is not None and value == best) for text, value in zip(texts, values, strict=True)]


def _evaluations(rows: Sequence[Row]) -> list[tuple[str, list[Cell]]]:
    """A line of robust accuracies for each kind of result of `fastadv eval`."""
    of_runs = [{kind_of(record): record.robust for record in row.evaluations} for row in rows]
    kinds = dict.fromkeys(kind for found in of_runs for kind in found)
    lines = []
    for kind in kinds:
        values = [found.get(kind) for found in of_runs]
        lines.append((kind, _cells(values, [*map(format_percent, values)], max)))
    return lines


def _evaluations_differ(rows: Sequence[Row]) -> bool:
    """Whether two results of `fastadv eval` of one kind are of different data or of attacks of other step sizes."""
    found: dict[str, set[tuple[str, float]]] = {}
    for record in (record for row in rows for record in row.evaluations):
        found.setdefault(kind_of(record), set()).add((record.data, record.step_size))
    return any(len(measured) > 1 for measured in found.values())


def _warnings(rows: Sequence[Row]) -> list[str]:
    """The reasons why the results might not be comparable."""
    checks: dict[str, set[Any]] = {
        "the data differ between the runs": {row.data_fingerprint for row in rows if row.data_fingerprint},
        "the runs were evaluated with different attacks": {row.attack for row in rows},
        "the runs were evaluated on different numbers of images": {row.images for row in rows},
        "the runs were evaluated with different eps": {row.eps for row in rows},
        "some runs have a final evaluation, others only evaluations during training": {row.final for row in rows},
        "the engine code differs between the runs": {row.code_fingerprint for row in rows if row.code_fingerprint},
    }
    warnings = [warning for warning, found in checks.items() if len(found) > 1]
    return warnings + ["results of `fastadv eval` differ in their data or step size"] * _evaluations_differ(rows)
