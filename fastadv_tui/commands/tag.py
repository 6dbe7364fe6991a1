"""`tag`: adds tags to a run and removes tags."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Run
from fastadv_tui.text.sanitize import one_line


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv tag last paper table-2")(tag)


def tag(
    run: Run,
    tags: Annotated[
        list[str],
        typer.Argument(help="Tags to add; a leading - removes a tag (type -- before the tags).", metavar="TAG..."),
    ],
) -> None:
    """Add tags to a run. `fastadv tag last -- -old` removes the tag `old`."""
    from fastadv_tui.history.index import History
    from fastadv_tui.history.notes import Notes, changed_tags
    from fastadv_tui.runs.find import find_run

    def change(notes: Notes) -> None:
        notes.tags = changed_tags(notes.tags, tags)

    row = History().edit(find_run(run), change)
    print(f"{row.id}: {one_line(', '.join(row.tags)) or 'no tags'}", file=sys.stderr)
