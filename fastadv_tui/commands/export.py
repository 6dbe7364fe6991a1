"""`export`: prints the events of runs for other programs."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Runs
from fastadv_tui.errors import UserError


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv export last --format csv > events.csv")(export)


def export(
    names: Runs,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="Set the output format: jsonl (all events), or csv (training steps and evaluation results only).",
        ),
    ] = "jsonl",
) -> None:
    """Print the events of runs. Each event begins with the id of its run."""
    from fastadv_tui.runs.find import RunFinder
    from fastadv_tui.terminal.event_export import EXPORTS

    if form not in EXPORTS:
        raise UserError(f"--format {form!r}: use {' or '.join(EXPORTS)}")
    finder = RunFinder()
    EXPORTS[form]([finder.find(name) for name in names], sys.stdout)
