"""`compare`: shows runs side by side."""

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs, SameAsSeeds
from fastadv_tui.errors import UserError

if TYPE_CHECKING:
    from fastadv_tui.history.row import Row


def register(app: typer.Typer) -> None:
    app.command(epilog="Examples: fastadv compare k3f9 p2x7 --format latex · fastadv compare last --paper")(compare)


def compare(
    runs: Runs = None,
    filter_: Filter = "",
    form: Annotated[
        str, typer.Option("--format", metavar="[table|csv|md|latex|json]", help="Set the output format.")
    ] = "table",
    seeds: Annotated[
        bool,
        typer.Option(
            "--seeds", help="Show runs that differ only in their seed as one: their mean, ± std from 3 seeds on."
        ),
    ] = False,
    group: SameAsSeeds = False,
    published: Annotated[
        bool,
        typer.Option(
            "--paper",
            help="Show also published results for the data set and eps of the runs: of the same methods, starts and "
            "step sizes, and of FGSM and PGD.",
        ),
    ] = False,
) -> None:
    """Show the results of runs side by side, with differences to the pinned or first run, and the settings that differ.

    A * marks an accuracy that is better or worse by more than noise. Runs that do not fit side by side are rows.
    """
    from fastadv_tui.history.comparison import compare as side_by_side
    from fastadv_tui.history.comparison_formats import FORMATS
    from fastadv_tui.history.selection import selected_rows
    from fastadv_tui.terminal.comparison_text import comparison_lines

    if form not in FORMATS and form != "table":
        *others, last = "table", *FORMATS
        raise UserError(f"--format {form!r}: use {', '.join(others)} or {last}")
    rows = selected_rows(runs or (), filter_)
    if published:
        rows += _published(rows)
    table = side_by_side(rows, by_seed=seeds or group)
    if form != "table":
        sys.stdout.write(FORMATS[form](table))
        return
    print("\n".join(comparison_lines(table, shutil.get_terminal_size().columns)))


def _published(rows: "Sequence[Row]") -> "Sequence[Row]":
    """The published results beside the runs. Raises: UserError, if there are none."""
    from fastadv_tui.history.paper import fitting, why_none_fits

    if found := fitting(rows, every=True):
        return found
    raise UserError(f"--paper: {why_none_fits(rows)}")
