"""`runs`: lists the present and past runs."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fastadv_tui.commands import completion
from fastadv_tui.errors import UserError
from fastadv_tui.terminal.output import print_notices

if TYPE_CHECKING:
    from fastadv_tui.history.row import Row

FORMS = ("table", "csv", "json", "md")
EXAMPLES = (
    "Examples: fastadv runs --filter 'method=fgsm eps>=8 since:7d' --sort robust · "
    "fastadv runs --columns id,name,robust,optim.lr · fastadv runs --format csv --limit 0 > runs.csv"
)


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(runs)


def runs(
    filter_: Annotated[
        str,
        typer.Option(
            "--filter",
            metavar="FILTER",
            help="Show only the runs that match, e.g. 'method=fgsm eps>=8 "
            "robust>0.4 tag:paper since:7d text'. Any other "
            "word must occur in the id, name, data set, method, tags or note; -word excludes the runs that match it.",
        ),
    ] = "",
    sort: Annotated[
        str,
        typer.Option(
            metavar="KEY", help="Column or setting to sort by, in descending order; +KEY: in ascending order."
        ),
    ] = "submitted",
    limit: Annotated[int, typer.Option(min=0, help="Number of rows to show; 0: all.")] = 50,
    columns: Annotated[
        str,
        typer.Option(
            metavar="KEY,KEY",
            help="Columns to show, in this order: id, name, robust, ... or any setting, such as optim.lr.",
            autocompletion=completion.columns,
        ),
    ] = "",
    seeds: Annotated[
        bool,
        typer.Option(
            "--seeds", help="Show runs that differ only in their seed as one row: mean, ± std from 3 seeds on."
        ),
    ] = False,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar=f"[{'|'.join(FORMS)}]",
            help="Set the output format. In csv and json, accuracies are fractions, times are ISO 8601, durations are "
            "seconds, and memory is in bytes.",
        ),
    ] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """List runs, the newest first."""
    from fastadv_tui.history.index import History
    from fastadv_tui.history.query import ordered, parse

    form = "json" if as_json else form
    if form not in FORMS:
        raise UserError(f"--format {form!r}: use {', '.join(FORMS[:-1])} or {FORMS[-1]}")
    if columns and seeds:
        raise UserError("--seeds has columns of its own; leave out --columns")
    matches = parse(filter_)
    history = History()
    everything = history.rows()
    print_notices(history.notices)
    found = ordered((row for row in everything if matches(row)), sort)
    if not found and form == "table":
        print("no run matches the filter" if everything else "no runs yet; start one with `fastadv run digits`")
        return
    lines = _print_groups(found, limit, form) if seeds else _print_rows(found, limit, form, columns)
    if limit and lines > limit:
        print(f"{lines - limit:,} more; --limit 0 shows all", file=sys.stderr)


def _print_rows(rows: "Sequence[Row]", limit: int, form: str, typed_columns: str) -> int:
    """Print at most `limit` runs. Returns the number of all."""
    from fastadv_tui.terminal import colours, runs_output
    from fastadv_tui.terminal.fitted_table import terminal_width

    chosen = None
    if typed_columns:
        from fastadv_tui.history.chosen_columns import chosen_columns

        chosen = chosen_columns(typed_columns)
    shown = rows[: limit or None]
    if form == "table":
        print("\n".join(runs_output.table(shown, chosen, terminal_width(), colours.wanted())))
    else:
        sys.stdout.write(runs_output.FORMATS[form](shown, chosen))
    return len(rows)


def _print_groups(rows: "Sequence[Row]", limit: int, form: str) -> int:
    """Print at most `limit` groups of runs that differ only in their seed. Returns the number of all groups."""
    from fastadv_tui.history.seed_groups import counted_twice, group_by_seed  # loads statistics, which is slow
    from fastadv_tui.terminal import groups_output
    from fastadv_tui.terminal.fitted_table import terminal_width

    groups = group_by_seed(rows)
    shown = groups[: limit or None]
    if form == "table":
        print("\n".join(groups_output.table(shown, terminal_width())))
    else:
        sys.stdout.write(groups_output.FORMATS[form](shown))
    print_notices(f"warning: {text}" for text in counted_twice(shown))
    return len(groups)
