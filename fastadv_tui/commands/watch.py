"""`watch`: follows a run from any terminal."""

from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Run


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv watch last")(watch)


def watch(
    run: Run,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run's events as JSON, one object per line.")
    ] = False,
) -> None:
    """Show the progress of a run, as `run` does. Ctrl-C ends only the watching, not the run."""
    from fastadv_tui.runs.find import find_run
    from fastadv_tui.terminal import run_display
    from fastadv_tui.terminal.follow import follow_to_end

    raise typer.Exit(follow_to_end(find_run(run), run_display.choose(as_json), may_stop=False))
