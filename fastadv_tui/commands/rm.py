"""`rm`: deletes a run."""

import sys

import typer

from fastadv_tui.commands.arguments import Run, Yes
from fastadv_tui.text.sanitize import one_line


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv rm k3f9")(rm)


def rm(run: Run, yes: Yes = False) -> None:
    """Delete a run: its folder and its row in the history."""
    from fastadv_tui.history.index import History
    from fastadv_tui.paths import runs_dir
    from fastadv_tui.runs import control
    from fastadv_tui.runs.find import find_run

    history = History()
    row = history.find(run)
    if not yes:
        typer.confirm(f"delete {row.id} ({one_line(row.name, 60)}, {row.status}) for good?", abort=True, err=True)
    if (runs_dir() / row.id).exists():
        control.delete(find_run(row.id))
    history.remove(row.id)
    print(f"{row.id}: deleted", file=sys.stderr)
