"""The lines of the history: runs alone or in groups, sorted, and the best accuracy among comparable lines."""

import statistics
from collections.abc import Hashable, Sequence
from typing import Any

from fastadv_tui.history.accuracies import conditions_of
from fastadv_tui.history.columns import Column, column_of, text_of_mean
from fastadv_tui.history.query import QueryError, ordered_by
from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import names_text
from fastadv_tui.history.seed_groups import group_by_seed, mean_std, seeds_text
from fastadv_tui.history.significance import Conditions, std_over_seeds

SEEDS = "seeds"  # groups of runs that differ only in their seed
SPLITTING = {  # conditions of a measurement in words: runs that differ in one have no mean
    "dataset": "data set",
    "data": "data files",
    "held_out": "held-out images",
    "attack": "attack",
    "norm": "norm",
    "eps": "eps",
    "step_size": "step size of the attack",
    "images": "number of images",
    "final": "final or earlier evaluation",
}
SEVERAL = "several"  # the cell of a group whose runs differ
GroupRows = list[Row]  # the runs of one line


def grouped(rows: Sequence[Row], by: str) -> list[GroupRows]:
    """The runs of each line, in the order of the first ones.

    by: empty for no groups; `seeds`; or the key of a column: runs with the same value that were measured alike.
    """
    if not by:
        return [[row] for row in rows]
    if by == SEEDS:
        return [group.rows for group in group_by_seed(rows)]
    column = _column(by)
    groups: dict[Hashable, GroupRows] = {}
    for row in rows:
        groups.setdefault((column.text(row), conditions_of(row)), []).append(row)
    return [*groups.values()]


def split_by(lines: Sequence[GroupRows], by: str) -> list[str]:
    """What keeps lines with the same value of a column apart, in words: `eps`, `attack`. Empty if nothing does.

    by: as in `grouped`.
    """
    if not by or by == SEEDS:
        return []
    column = _column(by)
    alike: dict[str, list[Conditions]] = {}
    for rows in lines:
        alike.setdefault(column.text(rows[0]), []).append(conditions_of(rows[0]))
    return [
        word
        for field, word in SPLITTING.items()
        if field != by and any(len({getattr(each, field) for each in found}) > 1 for found in alike.values())
    ]


def sorted_lines(lines: Sequence[GroupRows], key: str) -> list[GroupRows]:
    """The lines sorted by a column, the largest value first; the smallest first for `+key`. Raises: QueryError."""
    column = _column(key.lstrip("+"))
    return ordered_by(lines, lambda rows: line_value(rows, column), key.startswith("+"))


def line_value(rows: Sequence[Row], column: Column) -> Any:
    """The value by which a line is sorted: of a group the mean of numbers, or the value that all runs share."""
    if len(rows) == 1:
        return column.value(rows[0])
    known = [value for row in rows if (value := column.value(row)) is not None]
    if not known:
        return None
    if column.numeric:
        return statistics.fmean(known)
    return max(known) if column.kind == "time" else known[0] if all(value == known[0] for value in known) else None


def line_text(rows: Sequence[Row], column: Column) -> str:
    """The text of a line: of a group mean and standard deviation of accuracies, the mean of other figures."""
    if len(rows) == 1:
        return column.text_or(rows[0], "-")
    if column.key == "seed":
        return seeds_text(rows)
    if column.key == "name":
        return names_text(rows)
    texts = dict.fromkeys(column.text_or(row, "-") for row in rows)
    if len(texts) == 1 and column.kind != "fraction":
        return next(iter(texts))
    known = [value for row in rows if (value := column.value(row)) is not None]
    if not known:
        return "-"
    if column.kind == "fraction":
        return mean_std(statistics.fmean(known), std_over_seeds(known))
    if column.kind == "time":
        return column.text(max(rows, key=column.value))
    if column.kind in ("number", "duration") and column.key in Row.__struct_fields__:
        return text_of_mean(column, rows[0], statistics.fmean(known))
    return SEVERAL


def best_lines(lines: Sequence[GroupRows], column: Column) -> set[str]:
    """The ids of the first runs of the lines with the best accuracy among at least two that were measured alike."""
    alike: dict[Hashable, list[tuple[float, str]]] = {}
    for rows in lines:
        value = line_value(rows, column)
        if value is not None and rows[0].attack:
            alike.setdefault(conditions_of(rows[0]), []).append((value, rows[0].id))
    return {
        run_id
        for found in alike.values()
        if len({value for value, _ in found}) > 1
        for value, run_id in found
        if value == max(found)[0]
    }


def _column(key: str) -> Column:
    column = column_of(key)
    if column is None or not column.sortable:
        raise QueryError(f"there is no column {key!r} to sort or group by")
    return column
