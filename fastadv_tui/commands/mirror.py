"""`mirror`: copies runs to a tracker of others."""

from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs
from fastadv_tui.errors import UserError

EXAMPLES = (
    "Examples: fastadv mirror last --to wandb --follow · fastadv mirror --filter tag:paper --to mlflow --offline · "
    "fastadv mirror k3f9 --to trackio"
)


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(mirror)


def mirror(
    runs: Runs = None,
    filter_: Filter = "",
    to: Annotated[str, typer.Option(metavar="[wandb|mlflow|trackio]", help="Tracker to copy to.")] = "",
    project: Annotated[str, typer.Option(help="Project there; of MLflow, the experiment.")] = "fastadv",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the runs have ended.")] = False,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Write to this machine only: W&B into ./wandb, MLflow into ./mlflow.db, trackio into its own folder.",
        ),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Send all once more, as another run of the tracker.")] = False,
) -> None:
    """Copy settings, curves and results of runs to W&B, MLflow or trackio.

    The events are read from the run folder, so the training notices nothing, whatever the tracker does. A second call
    sends only what is new. Servers and keys are set as each tracker wants them, e.g. WANDB_API_KEY or
    MLFLOW_TRACKING_URI. Needs the tracker's package: pip install 'fastadv\\[wandb]', \\[mlflow] or \\[trackio].
    """
    from fastadv_tui.history.selection import run_folder, selected_ids
    from fastadv_tui.terminal.mirror_runs import mirror_runs
    from fastadv_tui.trackers.mirror import Destination, check_tool

    if not project.strip():
        raise UserError("--project is empty; type a name")
    check_tool(to)
    folders = [run_folder(run_id) for run_id in selected_ids(runs or (), filter_)]
    raise typer.Exit(mirror_runs(folders, Destination(to, project, offline), follow, again))
