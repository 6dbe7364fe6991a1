"""`reproduce`: trains the tables of papers again, and shows the results beside the published ones."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fastadv_tui.commands import completion
from fastadv_tui.commands.arguments import Set, Slots
from fastadv_tui.errors import UserError
from fastadv_tui.launch.confirm import MAX_UNCONFIRMED

if TYPE_CHECKING:
    from fastadv_tui.history.paper_tables import PaperTable
    from fastadv_tui.launch.reproduction import ToDo

EXAMPLES = (
    "Examples: fastadv reproduce · fastadv reproduce methods --seeds 0-2 · "
    "fastadv reproduce ablation --scale 16x10 --set eval.images=500 · fastadv reproduce ablation --show --format latex"
)


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(reproduce)


def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[TABLE]", help="Table to reproduce; default: list the tables.", autocompletion=completion.tables
        ),
    ] = "",
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="SCALE",
            help="Size of the runs: full (the default), small, tiny, or WIDTHxEPOCHS: 16x10 is a network of width 16 "
            "for 10 epochs, x10 changes the epochs only. With --show: show runs of this size only.",
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds: 0-2 or 0,3,7; default: 0. With --show: show these seeds only.")
    ] = None,
    settings: Set = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show the results of your runs beside the published ones. Starts nothing.")
    ] = False,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="[table|csv|md|latex]", help="With --show: output format; default: table."),
    ] = None,
    commands: Annotated[
        bool, typer.Option("--print", help="Print the command of each run that is missing. Starts nothing.")
    ] = False,
    slots: Slots = 1,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask for confirmation, however many runs there are.")
    ] = False,
) -> None:
    """Queue the runs of a table of a paper, at its size or smaller, or show their results beside the published ones.

    Typed again, the command queues only what is missing, and continues runs that were interrupted. The runs have the
    tag reproduce:TABLE.
    """
    from fastadv_tui.history.paper_tables import table_called

    if form is not None and not show:
        raise UserError("--format is for --show; type both")
    if show and (settings or commands):
        raise UserError(f"--show takes no {'--print' if commands else '--set'}: it shows all runs of the table")
    if not name:
        _list_tables(show)
    elif show:
        _show(table_called(name), scale, seeds, form or "table")
    else:
        _train(table_called(name), scale, seeds, settings or (), commands, slots, yes)


def _list_tables(show: bool) -> None:
    from fastadv_tui.history.paper_tables import TABLES, known_rows
    from fastadv_tui.text.table import aligned

    if show:
        raise UserError(f"--show needs a table: {', '.join(TABLES)}")
    rows = [(name, f"{len(known_rows(table)[0])}", table.summary) for name, table in TABLES.items()]
    print("\n".join(aligned([("table", "runs a seed", "what it trains"), *rows], limit=120)))


def _show(table: "PaperTable", scale: str | None, seeds: str | None, form: str) -> None:
    from fastadv_tui.history.index import History
    from fastadv_tui.history.paper_tables import Scale, parse_scale
    from fastadv_tui.history.reproduction import reproduction_of
    from fastadv_tui.launch.submission import parse_seeds
    from fastadv_tui.terminal.reproduction_output import FORMATS

    if form not in FORMATS:
        *others, last = FORMATS
        raise UserError(f"--format {form!r}: use {', '.join(others)} or {last}")
    size = Scale() if scale is None else parse_scale(table, scale)
    chosen = None if seeds is None else parse_seeds(seeds)
    sys.stdout.write(FORMATS[form](reproduction_of(table, History().rows(), size, chosen)))


def _train(
    table: "PaperTable",
    scale: str | None,
    seeds: str | None,
    settings: Sequence[str],
    commands: bool,
    slots: int,
    yes: bool,
) -> None:
    from fastadv_tui.history.index import History
    from fastadv_tui.history.paper_tables import FULL, known_rows, parse_scale
    from fastadv_tui.launch import reproduction
    from fastadv_tui.launch.repeat import repeating_command
    from fastadv_tui.launch.submission import parse_pairs, parse_seeds

    numbers = parse_seeds("0" if seeds is None else seeds)
    configs = reproduction.configs_of(table, parse_scale(table, scale or FULL), numbers, parse_pairs(settings))
    if unknown := known_rows(table)[1]:
        print(f"left out, because this version has no such method: {', '.join(unknown)}", file=sys.stderr)
    left = reproduction.to_do(table, configs, History().rows())
    if commands:
        import shlex

        for config in left.missing:
            print(shlex.join(repeating_command(config)))
        print(f"give these runs the tag {table.tag}, or let `fastadv reproduce` queue them", file=sys.stderr)
        return
    _say(table, len(configs), left)
    if len(left.missing) + len(left.interrupted) > MAX_UNCONFIRMED and not yes:
        typer.confirm("start them?", abort=True, err=True)
    raise typer.Exit(_start(table, left, slots))


def _say(table: "PaperTable", count: int, left: "ToDo") -> None:
    parts = [f"{len(left.missing)} of {count} run(s) to queue, tagged {table.tag}"]
    parts += [f"{len(left.interrupted)} interrupted run(s) to continue"] * bool(left.interrupted)
    print("; ".join(parts), file=sys.stderr)
    if left.diverged:
        ids = ", ".join(row.id for row in left.diverged)
        print(f"left as they are, because training diverged: {ids}", file=sys.stderr)


def _start(table: "PaperTable", left: "ToDo", slots: int) -> int:
    """Continue the interrupted runs and queue the missing ones. Returns: the exit code."""
    from fastadv_tui.commands.resume import resume_detached
    from fastadv_tui.launch.group import submit_group
    from fastadv_tui.runs import engine_client
    from fastadv_tui.terminal.each_run import for_each
    from fastadv_tui.terminal.output import print_notices

    code = for_each([row.id for row in left.interrupted], resume_detached) if left.interrupted else 0
    engine_client.check_all(left.missing)
    tags = [table.tag]
    print_notices(submit_group(left.missing, sys.argv, tags, slots, queued=lambda rundir: print(rundir.id, flush=True)))
    return code
