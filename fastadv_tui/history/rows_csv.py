"""Rows of the history as CSV: a line for each run, with numbers as numbers and the settings that some run changed."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from fastadv_tui.history.columns import COLUMNS, Column, column_of
from fastadv_tui.history.comparison_formats import csv_value
from fastadv_tui.history.evaluations import short_text
from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import known_iso_time


def rows_as_csv(rows: Sequence[Row]) -> str:
    """Accuracies and sizes are in [0,1], durations in seconds, memory in bytes; times in ISO 8601."""
    settings = dict.fromkeys(key for row in rows for key in row.settings if key not in COLUMNS)
    columns = [column for key in (*COLUMNS, *settings) if (column := column_of(key)) is not None]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.key for column in columns])
    writer.writerows([csv_value(_value(row, column)) for column in columns] for row in rows)
    return out.getvalue()


def _value(row: Row, column: Column) -> Any:
    value = column.value(row)
    if column.kind == "time":
        return known_iso_time(value or 0.0)
    return "; ".join(map(short_text, value)) if column.key == "evaluations" else value
