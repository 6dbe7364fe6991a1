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
    """Ask a run to save a checkpoint and end. A queued run is cancelled. If the run has ended, its evaluation stops.

    A run that has not ended after grace_seconds (see `fastadv settings grace_seconds`) is killed.
    """
    from fastadv_tui.runs import control
    from fastadv_tui.runs.find import find_run
    from fastadv_tui.runs.observe import observe

    rundir = find_run(run)
    if not observe(rundir).status.live and control.stop_evaluations(rundir, now):
        print(f"{rundir.id}: its evaluation was asked to stop; evaluated again, it goes on from there", file=sys.stderr)
        return
    queued = control.stop(rundir, now=now)
    done, resumed = ("cancelled in the queue", "queues") if queued else ("asked to stop", "continues")
    print(f"{rundir.id}: {done}; `fastadv resume {rundir.id}` {resumed} the run", file=sys.stderr)
