"""A row of the history as data for other programs."""

from typing import Any

import msgspec

from fastadv_tui.history.columns import COLUMNS
from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import known_iso_time

TIMES = tuple(column.key for column in COLUMNS.values() if column.kind == "time")


def row_as_data(row: Row) -> dict[str, Any]:
    """The fields of a row. Times are texts in ISO 8601 with their offset; a time that is unknown is None."""
    return {**msgspec.to_builtins(row), **{key: known_iso_time(getattr(row, key)) for key in TIMES}}
