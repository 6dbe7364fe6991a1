"""Plain tables with aligned columns, the same on a terminal and in a pipe. Loads no library for ASCII text."""

from collections.abc import Sequence

from fastadv_tui.text.sanitize import one_line

MAX_CELL_LENGTH = 48  # characters


def aligned(rows: Sequence[Sequence[str]], limit: int = MAX_CELL_LENGTH) -> list[str]:
    """The rows as lines with aligned columns. Cells are cut to `limit` characters and made safe to print."""
    safe = [[one_line(cell, limit) for cell in row] for row in rows]
    widths = [max(map(cell_width, column)) for column in zip(*safe, strict=True)]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in safe]


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - cell_width(cell))


def cell_width(cell: str) -> int:
    """The width of a text in columns of a terminal. ASCII text needs no look-up of wide characters."""
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len

    return cell_len(cell)
