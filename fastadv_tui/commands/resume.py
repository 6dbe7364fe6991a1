"""`resume`: continues runs."""

from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs, Yes, confirm
from fastadv_tui.launch.confirm import MAX_UNCONFIRMED


def register(app: typer.Typer) -> None:
    app.command(epilog="Examples: fastadv resume last · fastadv resume --filter 'tag:sweep-1 status=stopped'")(resume)


def resume(
    runs: Runs = None,
    filter_: Filter = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run's events as JSON, one object per line.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start the run, print its id, and return.")] = False,
    yes: Yes = False,
) -> None:
    """Continue runs from their last checkpoints: they were stopped, they failed, or their processes were killed.

    Several runs queue, and the command returns at once, as with --detach.
    """
    from fastadv_tui.history.selection import run_folder, selected_ids
    from fastadv_tui.terminal import run_display
    from fastadv_tui.terminal.each_run import for_each
    from fastadv_tui.terminal.follow import Interrupts, follow_to_end

    ids = selected_ids(runs or (), filter_, lambda row: not row.live and row.status != "done")
    if len(ids) > MAX_UNCONFIRMED:
        confirm("resume {} runs?", ids, yes)
    if filter_ or len(ids) > 1 or detach:
        raise typer.Exit(for_each(ids, resume_detached))
    with Interrupts() as interrupts:  # as in `run`: a Ctrl-C must not leave the run behind
        _resume(ids[0])
        display = run_display.choose(as_json)
        raise typer.Exit(follow_to_end(run_folder(ids[0]), display, may_stop=True, begun=interrupts))


def resume_detached(run_id: str) -> None:
    """Queue a run once more, print its id, and say whether it started. Raises: RunError; HomeError; SubmissionError."""
    from fastadv_tui.history.selection import run_folder
    from fastadv_tui.terminal.follow import say_begun

    _resume(run_id)
    print(run_id, flush=True)
    say_begun(run_folder(run_id))


def _resume(run_id: str) -> None:
    from fastadv_tui.history.index import History
    from fastadv_tui.history.selection import run_folder
    from fastadv_tui.runs import control
    from fastadv_tui.terminal.follow import update_history

    rundir = run_folder(run_id)
    History().record(rundir)  # raises if the history is not writable: the row would say "stopped" for ever
    control.resume(rundir)
    update_history(rundir)
