"""`compare`: shows runs side by side."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Runs
from fastadv_tui.errors import UserError
from fastadv_tui.text.table import aligned


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv compare k3f9 p2x7 --format latex")(compare)


def compare(
    names: Runs,
    form: Annotated[
        str, typer.Option("--format", help="Set the output format: table, csv, md, latex or json.")
    ] = "table",
) -> None:
    """Show the results of runs side by side, the best marked with *, and the settings that differ."""
    from fastadv_tui.history.comparison import Table
    from fastadv_tui.history.comparison import compare as side_by_side
    from fastadv_tui.history.comparison_formats import FORMATS
    from fastadv_tui.history.index import History

    if form not in FORMATS and form != "table":
        *others, last = "table", *FORMATS
        raise UserError(f"--format {form!r}: use {', '.join(others)} or {last}")
    history = History()
    table: Table = side_by_side([history.find(name) for name in names])
    for warning in table.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if form != "table":
        sys.stdout.write(FORMATS[form](table))
        return
    lines = [[label, *(cell.text + " *" * cell.best for cell in cells)] for label, cells in table.results]
    changed = [[label, *(cell.text for cell in cells)] for label, cells in table.settings]
    print("\n".join(aligned([["", *table.runs], *lines, *changed])))
