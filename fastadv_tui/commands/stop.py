"""`stop`: asks runs to save a checkpoint and end."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs, Yes, confirm

EXAMPLES = "Examples: fastadv stop last · fastadv stop k3f9 p2x7 --now · fastadv stop --filter tag:sweep-1"


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(stop)


def stop(
    runs: Runs = None,
    filter_: Filter = "",
    now: Annotated[
        bool, typer.Option("--now", help="Kill the runs; the work since their last checkpoints is lost.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Ask runs to save a checkpoint and end. A queued run is cancelled. With --filter, asks for confirmation.

    If a run has ended, its evaluation stops.

    A run that has not ended after grace_seconds (see `fastadv settings grace_seconds`) is killed.
    """
    from fastadv_tui.history.selection import selected_ids
    from fastadv_tui.runs import control
    from fastadv_tui.terminal.each_run import for_each

    ids = selected_ids(runs or (), filter_, lambda row: row.live)
    if filter_:
        confirm("kill {} run(s)?" if now else "stop {} run(s)?", ids, yes)
    raise typer.Exit(for_each(control.in_order_of_stopping(ids), lambda run_id: _stop(run_id, now)))


def _stop(run_id: str, now: bool) -> None:
    from fastadv_tui.history.selection import run_folder
    from fastadv_tui.runs import control
    from fastadv_tui.runs.observe import observe

    rundir = run_folder(run_id)
    if not observe(rundir).status.live and control.stop_evaluations(rundir, now):
        print(f"{run_id}: its evaluation was asked to stop; evaluated again, it goes on from there", file=sys.stderr)
        return
    queued = control.stop(rundir, now=now)
    asked = "killing" if now else "asked to stop"
    done, resumed = ("cancelled in the queue", "queues") if queued else (asked, "continues")
    print(f"{run_id}: {done}; `fastadv resume {run_id}` {resumed} the run", file=sys.stderr)
