"""Makes Textual's tables paint new rows with the columns at their final width."""

from typing import Any

from textual.coordinate import Coordinate
from textual.widgets import DataTable

from fastadv_tui.dashboard.after_refresh import after_refresh


def paint_again_when_measured(table: DataTable[Any]) -> None:
    """Call this after rows were added, or cells became wider or narrower.

    Textual measures new cells when it is idle, and may paint them before, as narrow as the heading. It keeps what it
    painted until a cell changes.
    """
    after_refresh(table, lambda: _touch_first_cell(table))


def _touch_first_cell(table: DataTable[Any]) -> None:
    first = Coordinate(0, 0)
    if table.is_valid_coordinate(first):
        table.update_cell_at(first, table.get_cell_at(first))
