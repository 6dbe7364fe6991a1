"""`tag`, `note`, `rm`, `prune`, `reindex`: keeping runs and their history in order."""

import re
import sys
import time
from typing import Annotated

import typer

from engine.protocol.rundir import RunDir
from fastadv_tui.commands.running import Run
from fastadv_tui.errors import UserError
from fastadv_tui.text.quantities import size
from fastadv_tui.text.sanitize import line

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv tag last paper table-2")(tag)
    app.command(epilog="Example: fastadv note last 'lr too high'")(note)
    app.command(epilog="Example: fastadv rm k3f9")(rm)
    app.command(epilog="Example: fastadv prune --older 30d")(prune)
    app.command(epilog="Example: fastadv reindex")(reindex)


def tag(
    run: Run,
    tags: Annotated[
        list[str], typer.Argument(help="Tags to add; a leading - (after --) removes one.", metavar="TAG...")
    ],
) -> None:
    """Tag a run; `fastadv tag last -- -old` takes a tag away."""
    from fastadv_tui.history.index import History
    from fastadv_tui.history.notes import Notes
    from fastadv_tui.runs.find import find_run

    def change(notes: Notes) -> None:
        gone = {tag[1:] for tag in tags if tag.startswith("-")}
        added = [tag for tag in tags if not tag.startswith("-")]
        notes.tags = list(dict.fromkeys(tag for tag in (*notes.tags, *added) if tag not in gone))

    row = History().edit(find_run(run), change)
    print(f"{row.id}: {line(', '.join(row.tags)) or 'no tags'}", file=sys.stderr)


def note(run: Run, text: Annotated[str, typer.Argument(help="The note; empty takes it away.")]) -> None:
    """Write a note on a run."""
    from fastadv_tui.history.index import History
    from fastadv_tui.history.notes import Notes
    from fastadv_tui.runs.find import find_run

    def change(notes: Notes) -> None:
        notes.note = text

    row = History().edit(find_run(run), change)
    print(f"{row.id}: noted", file=sys.stderr)


def rm(run: Run, yes: Yes = False) -> None:
    """Delete a run: its folder and its row."""
    from fastadv_tui.history.index import History
    from fastadv_tui.paths import runs_dir
    from fastadv_tui.runs import control
    from fastadv_tui.runs.find import find_run

    history = History()
    row = history.find(run)
    if not yes:
        typer.confirm(f"delete {row.id} ({line(row.name, 60)}, {row.status}) for good?", abort=True, err=True)
    if (runs_dir() / row.id).exists():
        control.delete(find_run(row.id))
    history.remove(row.id)
    print(f"{row.id}: deleted", file=sys.stderr)


def prune(
    older: Annotated[str, typer.Option(help="Age of the runs: 30d or 12h.")] = "30d",
    yes: Yes = False,
) -> None:
    """Remove the checkpoints of runs that ended long ago; events and history stay."""
    from fastadv_tui.history.index import History
    from fastadv_tui.paths import runs_dir
    from fastadv_tui.runs import control

    before = time.time() - _seconds(older)
    rows = [row for row in History().rows() if not row.live and not row.pinned]
    old = [RunDir(runs_dir() / row.id) for row in rows if (row.ended or row.submitted) < before]
    found = [control.checkpoints(rundir) for rundir in old]
    total = sum(sum(files.values()) for files in found)
    print(f"{sum(map(len, found))} checkpoint(s) of runs older than {older}: {size(total)}", file=sys.stderr)
    if not any(found):
        return
    if not yes:
        typer.confirm("remove them? These runs can then no longer be resumed or loaded", abort=True, err=True)
    print(f"{size(sum(map(control.remove_checkpoints, old)))} freed", file=sys.stderr)


def reindex() -> None:
    """Rebuild the history from the run folders."""
    from fastadv_tui.history.index import History

    history = History()
    count = history.reindex()
    print(f"{history.path}: {count:,} run(s) indexed", file=sys.stderr)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6})\s*([dh])", text.strip())
    if not match:
        raise UserError(f"--older {text!r}: write 30d or 12h")
    return int(match[1]) * (86400 if match[2] == "d" else 3600)
