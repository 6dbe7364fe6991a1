"""`watch`: follows runs from any terminal."""

from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs


def register(app: typer.Typer) -> None:
    app.command(epilog="Examples: fastadv watch last · fastadv watch --filter tag:sweep-1")(watch)


def watch(
    runs: Runs = None,
    filter_: Filter = "",
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the events as JSON, one object per line; of several runs, with their ids."),
    ] = False,
) -> None:
    """Show the progress of runs, as `run` does. Ctrl-C ends only the watching, not the runs.

    Each line of several runs begins with the id of its run. The command ends when the last of them has ended.
    """
    from fastadv_tui.history.selection import run_folder, selected_ids
    from fastadv_tui.terminal import run_display
    from fastadv_tui.terminal.follow import follow_to_end
    from fastadv_tui.terminal.follow_many import follow_many

    rundirs = [run_folder(run_id) for run_id in selected_ids(runs or (), filter_, lambda row: row.live)]
    if len(rundirs) == 1:
        raise typer.Exit(follow_to_end(rundirs[0], run_display.choose(as_json), may_stop=False))
    raise typer.Exit(follow_many(rundirs, as_json))
