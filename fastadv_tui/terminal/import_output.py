"""What `fastadv import` prints: a line for each run."""

from collections.abc import Sequence
from typing import TextIO

from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import format_percent
from fastadv_tui.text.sanitize import one_line


def print_imported(rows: Sequence[Row], out: TextIO) -> None:
    """The id of each run, its name, its result and the length of its curve."""
    for row in rows:
        known = {"clean": row.clean, "robust": row.robust}
        result = [f"{name} {format_percent(value)}" for name, value in known.items() if value is not None]
        curve = [f"{len(row.curve)} points of robust accuracy"] if row.curve else []
        print(one_line(f"{row.id}  {row.name}: {', '.join([*result, *curve]) or 'a loss curve'}"), file=out)
