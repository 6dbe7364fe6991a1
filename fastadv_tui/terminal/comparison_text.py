"""The lines of `fastadv compare`. Runs are columns if these fit the width of the terminal; otherwise runs are rows."""

from collections.abc import Sequence

from fastadv_tui.history.comparison_table import Cell, Table, accuracies_first
from fastadv_tui.text.sanitize import one_line
from fastadv_tui.text.table import MAX_CELL_LENGTH, aligned, cell_width

GAP = 2  # spaces between columns, as in `aligned`
MAX_ROW_CELL = 32  # characters of a cell in a table whose rows are runs
MAX_ACCURACY = 80  # the same for accuracies: their words are ours, and say how the accuracy was measured
NOTHING = ("", "-")  # texts of cells that say nothing
Line = tuple[str, list[str]]  # a label, and one text for each run


def comparison_lines(table: Table, width: int) -> list[str]:
    """The comparison in lines of at most `width` columns, if the widest cell allows this. The footnotes come last."""
    return [*_table_lines(table, width), *_footnote_lines(table.footnotes, width)]


def _table_lines(table: Table, width: int) -> list[str]:
    both = (*table.results, *table.settings)
    wide = [(label, [_text(cell, MAX_CELL_LENGTH) for cell in cells]) for label, cells in both]
    side_by_side = aligned([["", *table.runs], *([label, *texts] for label, texts in wide)], MAX_ACCURACY)
    if len(table.runs) == 1 or max(map(cell_width, side_by_side)) <= width:
        return side_by_side
    narrow = [(label, [_text(cell, MAX_ROW_CELL) for cell in cells]) for label, cells in both]
    return _runs_as_rows(table.runs, narrow, width)


def _text(cell: Cell, limit: int) -> str:
    return one_line(cell.words, limit if cell.plus_minus is None and not cell.unlike else MAX_ACCURACY)


def _footnote_lines(footnotes: Sequence[str], width: int) -> list[str]:
    """The footnotes below an empty line, wrapped to the width."""
    lines = [line for text in footnotes for line in _wrapped(one_line(text), width)]
    return ["", *lines] if lines else []


def _wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most `width` columns, if its longest word allows this. Wide characters count twice."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and cell_width(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(f"  {word}" if lines else word)
    return lines


def _runs_as_rows(runs: Sequence[str], lines: Sequence[Line], width: int) -> list[str]:
    """First the values that all runs share, then a row for each run. Columns that do not fit are in further tables."""
    shared = [(label, texts[0]) for label, texts in lines if len(set(texts)) == 1]
    differing = accuracies_first([(label, texts) for label, texts in lines if len(set(texts)) > 1])
    found = aligned([("", "all runs"), *(each for each in shared if each[1] not in NOTHING)], width // 2)
    columns_of_runs = [(one_line(label, MAX_CELL_LENGTH), texts) for label, texts in differing]
    for columns in _tables(("", list(runs)), columns_of_runs, width):
        rows = zip(*([label, *texts] for label, texts in columns), strict=True)
        found += ["", *aligned([*rows], MAX_ACCURACY)]
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
    return max(map(cell_width, (label, *texts)))
