"""`stop`: asks a run to save a checkpoint and end."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Run


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv stop last")(stop)


def stop(
    run: Run,
    now: Annotated[
        bool, typer.Option("--now", help="Kill the run; the work since its last checkpoint is lost.")
    ] = False,
) -> None:
    """Ask a run to save a checkpoint and end. A queued run is cancelled.

    A run that has not ended after grace_seconds (see `fastadv settings grace_seconds`) is killed.
    """
    from fastadv_tui.runs import control
    from fastadv_tui.runs.find import find_run

    rundir = find_run(run)
    queued = control.stop(rundir, now=now)
    done, resumed = ("cancelled in the queue", "queues") if queued else ("asked to stop", "continues")
    print(f"{rundir.id}: {done}; `fastadv resume {rundir.id}` {resumed} the run", file=sys.stderr)
