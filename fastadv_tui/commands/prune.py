"""`prune`: removes the checkpoints of old runs."""

import sys
import time
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Yes
from fastadv_tui.errors import UserError
from fastadv_tui.text.quantities import format_bytes, parse_age


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv prune --older 30d")(prune)


def prune(
    older: Annotated[
        str, typer.Option(help="Minimum time since the end of a run: a number with s, min, h, d or w.")
    ] = "30d",
    yes: Yes = False,
) -> None:
    """Remove the checkpoints of runs that ended long ago. Events and history stay.

    The checkpoints of pinned runs stay, too (key P in the dashboard's history).
    """
    from engine.protocol.rundir import RunDir
    from fastadv_tui.history.index import History
    from fastadv_tui.paths import runs_dir
    from fastadv_tui.runs import control

    before = time.time() - _seconds(older)
    rows = [row for row in History().rows() if not row.live and not row.pinned]
    old = [RunDir(runs_dir() / row.id) for row in rows if (row.ended or row.submitted) < before]
    found = [control.checkpoints(rundir) for rundir in old]
    total = sum(sum(files.values()) for files in found)
    print(f"{sum(map(len, found))} checkpoint(s) of runs older than {older}: {format_bytes(total)}", file=sys.stderr)
    if not any(found):
        return
    if not yes:
        typer.confirm("remove them? These runs can then no longer be resumed or loaded", abort=True, err=True)
    print(f"{format_bytes(sum(map(control.remove_checkpoints, old)))} freed", file=sys.stderr)


def _seconds(text: str) -> float:
    if (seconds := parse_age(text)) is None:
        raise UserError(f"--older {text!r}: write a number with s, min, h, d or w, such as 30d")
    return seconds
