"""`export`: prints the events of runs for other programs."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs
from fastadv_tui.errors import UserError


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv export last --format csv > events.csv")(export)


def export(
    runs: Runs = None,
    filter_: Filter = "",
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="[jsonl|csv|corruptions]",
            help="Set the output format: jsonl (all events), csv (training steps and evaluation results only), or "
            "corruptions (results on corrupted images, as csv).",
        ),
    ] = "jsonl",
) -> None:
    """Print the events of runs. Each event begins with the id of its run."""
    from fastadv_tui.history.selection import run_folder, selected_ids
    from fastadv_tui.terminal.event_export import EXPORTS

    if form not in EXPORTS:
        raise UserError(f"--format {form!r}: use {' or '.join(EXPORTS)}")
    EXPORTS[form]([run_folder(run_id) for run_id in selected_ids(runs or (), filter_)], sys.stdout)
