"""Plain aligned columns: the same on a terminal and in a pipe, and nothing to load."""

from collections.abc import Sequence

from fastadv_tui.text.sanitize import one_line

WIDEST = 48  # characters of one cell


def aligned(rows: Sequence[Sequence[str]], limit: int = WIDEST) -> list[str]:
    """The rows as lines with their columns aligned; the cells may hold anything, it is shown safely."""
    safe = [[one_line(cell, limit) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*safe, strict=True)]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in safe]


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - _width(cell))


def _width(cell: str) -> int:
    """Columns that a terminal gives to a text; only wide characters need asking."""
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len

    return cell_len(cell)
