"""Rows of the history as a table for data frames: a list of values for each column."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastadv_tui.history.accuracies import evaluated_accuracy_of, evaluation_kinds
from fastadv_tui.history.columns import COLUMNS, Column, column_of
from fastadv_tui.history.row import Row


def columns_with_settings(rows: Sequence[Row]) -> list[Column]:
    """The columns of the history, and one for each setting that some run changed."""
    settings = dict.fromkeys(key for row in rows for key in row.settings if key not in COLUMNS)
    keys = [key for key in (*COLUMNS, *settings) if key != "evaluations"]
    return [column for key in keys if (column := column_of(key)) is not None]


def table_of(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The columns of `columns_with_settings`, and the robust accuracy of each kind of result of `fastadv eval`.

    Accuracies and sizes are in [0,1], durations in seconds, memory in bytes, times with a time zone. An unknown value
    is None. A setting with values of several types, such as a number and a text, is a column of texts.
    """
    table = {column.key: _values(column, rows) for column in columns_with_settings(rows)}
    for kind in evaluation_kinds(rows):
        found = [evaluated_accuracy_of([row], kind) for row in rows]
        table[kind] = [accuracy and accuracy.value for accuracy in found]
    return table


def _values(column: Column, rows: Sequence[Row]) -> list[Any]:
    values = [column.value(row) for row in rows]
    if column.kind == "time":
        return [value and datetime.fromtimestamp(value).astimezone() for value in values]
    return _of_one_type(values)


def _of_one_type(values: list[Any]) -> list[Any]:
    types = {type(value) for value in values if value is not None}
    if len(types) < 2:
        return values
    kind = float if types == {int, float} else str
    return [None if value is None else kind(value) for value in values]
