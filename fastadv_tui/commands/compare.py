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
    seeds: Annotated[
        bool, typer.Option("--seeds", help="Show runs that differ only in their seed as one: mean ± std.")
    ] = False,
) -> None:
    """Show the results of runs side by side, with differences to the pinned or first run, and the settings that differ.

    A * marks an accuracy that is better by more than noise. Runs that do not fit side by side are rows.
    """
    from fastadv_tui.history.comparison import compare as side_by_side
    from fastadv_tui.history.comparison_formats import FORMATS
    from fastadv_tui.history.selection import selected_rows
    from fastadv_tui.terminal.comparison_text import comparison_lines

    if form not in FORMATS and form != "table":
        *others, last = "table", *FORMATS
        raise UserError(f"--format {form!r}: use {', '.join(others)} or {last}")
    table = side_by_side(selected_rows(runs or (), filter_), by_seed=seeds)
    if form != "table":
        sys.stdout.write(FORMATS[form](table))
        return
    print("\n".join(comparison_lines(table, shutil.get_terminal_size().columns)))
