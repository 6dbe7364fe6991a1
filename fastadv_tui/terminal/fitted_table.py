"""Tables that fit the width of a terminal: the least important columns go first, then long cells are cut."""

import shutil
import sys
from collections.abc import Callable, Sequence

from msgspec import Struct

from fastadv_tui.text.sanitize import one_line
from fastadv_tui.text.table import MAX_CELL_LENGTH, cell_width

GAP = 2  # blank columns between two cells
MIN_WIDTH = 8  # columns of a cell that is cut


class TableColumn(Struct, frozen=True):
    """A column of a table.

    cells: the texts of the rows. importance: of the columns that do not fit, the one with the smallest goes first; None
    for a column that always stays. cuttable: whether its cells may be cut. paint: gives the cell of a row its colour.
    """

    title: str
    cells: Sequence[str]
    importance: int | None = None
    cuttable: bool = False
    paint: Callable[[int, str], str] | None = None

    @property
    def width(self) -> int:
        return max(cell_width(self.title), *(cell_width(cell) for cell in self.cells), 0)


def terminal_width() -> int | None:
    """The columns of the terminal; None for a pipe, where a program reads whole cells."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table_lines(columns: Sequence[TableColumn], width: int | None) -> list[str]:
    """The heading and one line for each row. Cells are made safe to print."""
    columns = [_safe(column) for column in columns]
    widths = [column.width for column in columns]
    if width is not None:
        columns = _those_that_fit(columns, width)
        widths = _cut(columns, width)
    count = len(columns[0].cells)
    heading = [_padded(column.title, wide) for column, wide in zip(columns, widths, strict=True)]
    lines = [heading]
    for number in range(count):
        cells = [_padded(column.cells[number], wide) for column, wide in zip(columns, widths, strict=True)]
        cells[-1] = cells[-1].rstrip()
        lines.append([
            column.paint(number, cell) if column.paint else cell for column, cell in zip(columns, cells, strict=True)
        ])  # fmt: skip
    return [(" " * GAP).join(cells).rstrip() for cells in lines]


def _safe(column: TableColumn) -> TableColumn:
    cells = [one_line(cell, MAX_CELL_LENGTH) for cell in column.cells]
    return TableColumn(column.title, cells, column.importance, column.cuttable, column.paint)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _those_that_fit(columns: list[TableColumn], width: int) -> list[TableColumn]:
    """Leave out the least important columns until the others fit, at least with their long cells cut."""
    while True:
        least = [min(column.width, MIN_WIDTH) if column.cuttable else column.width for column in columns]
        spare = [column for column in columns if column.importance is not None]
        if _total(least) <= width or not spare:
            return columns
        columns.remove(min(spare, key=lambda column: column.importance or 0))


def _cut(columns: Sequence[TableColumn], width: int) -> list[int]:
    """The widths of the columns: the widest one that may be cut gives way, column by column."""
    widths = [column.width for column in columns]
    while _total(widths) > width:
        wide = [number for number, column in enumerate(columns) if column.cuttable and widths[number] > MIN_WIDTH]
        if not wide:
            break
        widths[max(wide, key=lambda number: widths[number])] -= 1
    return widths


def _padded(cell: str, width: int) -> str:
    """The cell in exactly so many columns of the terminal."""
    if cell_width(cell) > width:
        from rich.cells import set_cell_size  # imported late: most tables fit

        cell = set_cell_size(cell, max(width - 1, 0)).rstrip() + "…"
    return cell + " " * (width - cell_width(cell))
