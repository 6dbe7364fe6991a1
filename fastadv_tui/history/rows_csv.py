"""Rows of the history as CSV: a line for each run, with numbers as numbers and the settings that some run changed."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from fastadv_tui.history.accuracies import evaluated_accuracy_of, evaluation_kinds
from fastadv_tui.history.columns import Column
from fastadv_tui.history.comparison_formats import csv_value
from fastadv_tui.history.row import Row
from fastadv_tui.history.row_table import columns_with_settings
from fastadv_tui.text.quantities import known_iso_time


def rows_as_csv(rows: Sequence[Row]) -> str:
    """Accuracies and sizes are in [0,1], durations in seconds, memory in bytes; times in ISO 8601.

    Each kind of result of `fastadv eval` has a column with the robust accuracy.
    """
    columns, kinds = columns_with_settings(rows), evaluation_kinds(rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(column.key for column in columns), *kinds])
    for row in rows:
        evaluated = [evaluated_accuracy_of([row], kind) for kind in kinds]
        values = [*(_value(row, column) for column in columns), *(found and found.value for found in evaluated)]
        writer.writerow(map(csv_value, values))
    return out.getvalue()


def _value(row: Row, column: Column) -> Any:
    value = column.value(row)
    return known_iso_time(value or 0.0) if column.kind == "time" else value
