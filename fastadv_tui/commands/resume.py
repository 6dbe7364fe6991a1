"""`resume`: continues a run."""

from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Run


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv resume last")(resume)


def resume(
    run: Run,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run's events as JSON, one object per line.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start the run, print its id, and return.")] = False,
) -> None:
    """Continue a run from its last checkpoint: it was stopped, it failed, or its process was killed."""
    from fastadv_tui.history.index import History
    from fastadv_tui.runs import control
    from fastadv_tui.runs.find import find_run
    from fastadv_tui.terminal import run_display
    from fastadv_tui.terminal.follow import follow_to_end, say_begun, update_history

    rundir = find_run(run)
    History().record(rundir)  # raises if the history is not writable: the row would say "stopped" for ever
    control.resume(rundir)
    update_history(rundir)
    if detach:
        print(rundir.id)
        say_begun(rundir)
        return
    raise typer.Exit(follow_to_end(rundir, run_display.choose(as_json), may_stop=True))
