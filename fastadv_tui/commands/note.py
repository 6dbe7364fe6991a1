"""`note`: writes a note on a run."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Run


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv note last 'lr too high'")(note)


def note(
    run: Run, text: Annotated[str, typer.Argument(help="Text of the note; an empty text removes the note.")]
) -> None:
    """Set the note of a run. The new note replaces an older note."""
    from fastadv_tui.history.index import History
    from fastadv_tui.history.notes import Notes
    from fastadv_tui.history.selection import find_run

    def change(notes: Notes) -> None:
        notes.note = text

    row = History().edit(find_run(run), change)
    print(f"{row.id}: {'note saved' if text.strip() else 'the note is removed'}", file=sys.stderr)
