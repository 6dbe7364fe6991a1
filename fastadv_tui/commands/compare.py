"""`compare`: shows runs side by side."""

import shutil
import sys
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs
from fastadv_tui.errors import UserError


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv compare k3f9 p2x7 --format latex")(compare)


def compare(
    runs: Runs = None,
    filter_: Filter = "",
    form: Annotated[
        str, typer.Option("--format", metavar="[table|csv|md|latex|json]", help="Set the output format.")
    ] = "table",
) -> None:
    """Show the results of runs side by side, the best marked with *, and the settings that differ.

    Runs that do not fit side by side are rows.
    """
    from fastadv_tui.history.comparison import compare as side_by_side
    from fastadv_tui.history.comparison_formats import FORMATS
    from fastadv_tui.history.selection import selected_rows
    from fastadv_tui.terminal.comparison_text import comparison_lines

    if form not in FORMATS and form != "table":
        *others, last = "table", *FORMATS
        raise UserError(f"--format {form!r}: use {', '.join(others)} or {last}")
    table = side_by_side(selected_rows(runs or (), filter_))
    for warning in table.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if form != "table":
        sys.stdout.write(FORMATS[form](table))
        return
    print("\n".join(comparison_lines(table, shutil.get_terminal_size().columns)))
