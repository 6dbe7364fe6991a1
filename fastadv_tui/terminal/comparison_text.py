"""The lines of `fastadv compare`. Runs are columns if these fit the width of the terminal; otherwise runs are rows."""

from collections.abc import Sequence

from fastadv_tui.history.comparison import Table
from fastadv_tui.text.sanitize import one_line
from fastadv_tui.text.table import MAX_CELL_LENGTH, aligned, cell_width

GAP = 2  # spaces between columns, as in `aligned`
MAX_ROW_CELL = 32  # characters of a cell in a table whose rows are runs
NOTHING = ("", "-")  # texts of cells that say nothing
Line = tuple[str, list[str]]  # a label, and one text for each run


def comparison_lines(table: Table, width: int) -> list[str]:
    """The comparison in lines of at most `width` columns, if the widest cell allows this."""
    lines = [(label, [cell.text + " *" * cell.best for cell in cells]) for label, cells in table.results]
    lines += [(label, [cell.text for cell in cells]) for label, cells in table.settings]
    side_by_side = aligned([["", *table.runs], *([label, *texts] for label, texts in lines)], MAX_CELL_LENGTH)
    if len(table.runs) == 1 or max(map(cell_width, side_by_side)) <= width:
        return side_by_side
    return _runs_as_rows(table.runs, lines, width)


def _runs_as_rows(runs: Sequence[str], lines: Sequence[Line], width: int) -> list[str]:
    """First the values that all runs share, then a row for each run. Columns that do not fit are in further tables."""
    shared = [(label, texts[0]) for label, texts in lines if len(set(texts)) == 1]
    differing = [(label, texts) for label, texts in lines if len(set(texts)) > 1]
    found = aligned([("", "all runs"), *(each for each in shared if each[1] not in NOTHING)], width // 2)
    for columns in _tables(("", list(runs)), differing, width):
        rows = zip(*([label, *texts] for label, texts in columns), strict=True)
        found += ["", *aligned([*rows], MAX_ROW_CELL)]
    return found


def _tables(first: Line, columns: Sequence[Line], width: int) -> list[list[Line]]:
    """The columns in groups that fit the width. Each group begins with the column `first`."""
    tables, used = [[first]], _column_width(first)
    for column in columns:
        needed = GAP + _column_width(column)
        if used + needed > width and len(tables[-1]) > 1:
            tables.append([first])
            used = _column_width(first)
        tables[-1].append(column)
        used += needed
    return tables


def _column_width(column: Line) -> int:
    label, texts = column
    return max(cell_width(one_line(text, MAX_ROW_CELL)) for text in (label, *texts))
