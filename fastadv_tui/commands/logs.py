"""`logs`: prints the log of a run."""

import time
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Run
from fastadv_tui.text.sanitize import one_line

POLL_SECONDS = 0.5  # time between two reads of the log


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv logs last -f")(logs)


def logs(
    run: Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until the run ends.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="Number of lines to print from the end of the log.")
    ] = 50,
) -> None:
    """Print the log of a run: everything that its process wrote to its outputs."""
    from fastadv_tui.runs.find import find_run
    from fastadv_tui.runs.observe import observe
    from fastadv_tui.text.tail import LineFollower, tail

    rundir = find_run(run)
    follower = LineFollower(rundir.log) if follow else None
    for text in tail(rundir.log, lines):
        print(one_line(text))
    while follower:
        live = observe(rundir).status.live
        for text in follower.poll():
            print(one_line(text), flush=True)
        if not live:
            return
        time.sleep(POLL_SECONDS)
