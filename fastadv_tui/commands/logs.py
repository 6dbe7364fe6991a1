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
    """Print the log of a run: its events, then the output of its process."""
    from fastadv_tui.history.selection import find_run
    from fastadv_tui.runs.log_lines import end_lines, event_lines, waiting_line
    from fastadv_tui.runs.observe import RunObserver
    from fastadv_tui.text.tail import LineFollower, tail

    rundir = find_run(run)
    observer, output = RunObserver(rundir), LineFollower(rundir.log)
    seen = observer.look()
    described = event_lines(seen.state)
    whole = [*described, *tail(rundir.log, lines), *end_lines(seen.status)]
    if seen.status.status == "queued" and not whole:
        whole = [waiting_line(seen.status, None)]
    _print(whole[-lines:] if lines else [])
    while follow and seen.status.live:
        time.sleep(POLL_SECONDS)
        seen = observer.look()
        now = event_lines(seen.state)
        _print([*(text for text in now if text not in described), *output.poll(), *end_lines(seen.status)])
        described = now


def _print(lines: list[str]) -> None:
    for text in lines:
        print(one_line(text), flush=True)
