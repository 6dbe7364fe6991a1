"""`export`: gives the events of runs to other programs."""

from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs

EXAMPLES = (
    "Examples: fastadv export last --format csv > events.csv · fastadv export last --format parquet -o events.parquet "
    "· fastadv export --filter tag:paper --format tensorboard -o logs"
)


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(export)


def export(
    runs: Runs = None,
    filter_: Filter = "",
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="[jsonl|csv|parquet|tensorboard]",
            help="Set the output format: jsonl (all events); csv or parquet (training steps and evaluation results "
            "only); tensorboard (a folder of event files for each run).",
        ),
    ] = "jsonl",
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="File to write, or the folder of format tensorboard. Without it, jsonl and csv are printed.",
        ),
    ] = "",
) -> None:
    """Print the events of runs, or write them into files. Each event begins with the id of its run.

    Format parquet needs pyarrow: pip install 'fastadv\\[parquet]'. No format needs TensorBoard.
    """
    from fastadv_tui.history.selection import run_folder, selected_ids
    from fastadv_tui.paths import typed_path
    from fastadv_tui.terminal.export_formats import check_format, export_events

    check_format(form, bool(out))
    folders = [run_folder(run_id) for run_id in selected_ids(runs or (), filter_)]
    export_events(folders, form, typed_path(out) if out else None)
