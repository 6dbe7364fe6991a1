"""`resume`: go on with a run."""

from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Run


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv resume last")(resume)


def resume(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="Print the events.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and return.")] = False,
) -> None:
    """Go on with a stopped, failed or lost run from its last checkpoint."""
    from fastadv_tui.history.index import History
    from fastadv_tui.runs import control
    from fastadv_tui.runs.find import find_run
    from fastadv_tui.terminal import run_display
    from fastadv_tui.terminal.follow import follow_to_end, remember

    rundir = find_run(run)
    History().record(rundir)  # where that cannot be written, a row that says "stopped" would be believed for ever
    control.resume(rundir)
    remember(rundir)
    if detach:
        print(rundir.id)
        return
    raise typer.Exit(follow_to_end(rundir, run_display.choose(as_json), may_stop=True))
