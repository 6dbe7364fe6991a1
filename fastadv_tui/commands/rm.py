"""`rm`: deletes runs."""

import sys
from typing import TYPE_CHECKING

import typer

from fastadv_tui.commands.arguments import Filter, Runs, Yes, confirm
from fastadv_tui.text.sanitize import one_line

if TYPE_CHECKING:
    from fastadv_tui.history.index import History


def register(app: typer.Typer) -> None:
    app.command(epilog="Examples: fastadv rm k3f9 · fastadv rm --filter 'status=failed before:30d'")(rm)


def rm(runs: Runs = None, filter_: Filter = "", yes: Yes = False) -> None:
    """Delete runs: their folders and their rows in the history. Asks for confirmation."""
    from fastadv_tui.history.index import History
    from fastadv_tui.history.selection import selected_rows
    from fastadv_tui.terminal.each_run import for_each

    history = History()
    rows = selected_rows(runs or (), filter_, history=history)
    if len(rows) > 1 or filter_:
        confirm("delete {} run(s) for good?", [row.id for row in rows], yes)
    elif not yes:
        (row,) = rows
        typer.confirm(f"delete {row.id} ({one_line(row.name, 60)}, {row.status}) for good?", abort=True, err=True)
    raise typer.Exit(for_each([row.id for row in rows], lambda run_id: _delete(run_id, history)))


def _delete(run_id: str, history: "History") -> None:
    from engine.protocol.rundir import RunDir
    from fastadv_tui.paths import runs_dir
    from fastadv_tui.runs import control

    rundir = RunDir(runs_dir() / run_id)
    if rundir.path.exists():
        control.delete(rundir)
    history.remove(run_id)
    print(f"{run_id}: deleted", file=sys.stderr)
