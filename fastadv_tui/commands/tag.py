"""`tag`: adds tags to runs and removes tags."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from fastadv_tui.commands import completion
from fastadv_tui.commands.arguments import Filter
from fastadv_tui.errors import UserError
from fastadv_tui.text.sanitize import one_line


def register(app: typer.Typer) -> None:
    app.command(
        epilog="Examples: fastadv tag last paper table-2 · fastadv tag k3f9,p2x7 paper · "
        "fastadv tag --filter status=failed broken"
    )(tag)


def tag(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN[,RUN...] TAG...",
            help="Runs, separated by commas (with --filter: none), then the tags to add; a leading - removes a tag "
            "(type -- before the tags).",
            autocompletion=completion.several_runs,
        ),
    ],
    filter_: Filter = "",
) -> None:
    """Add tags to runs. `fastadv tag last -- -old` removes the tag `old`."""
    from fastadv_tui.history.selection import selected_ids
    from fastadv_tui.terminal.each_run import for_each

    runs, tags = ([], words) if filter_ else (words[0].split(","), words[1:])
    if not tags:
        raise UserError("type a tag after the run, such as `fastadv tag last paper`")
    _refuse_runs(tags)
    raise typer.Exit(for_each(selected_ids(runs, filter_), lambda run_id: _tag(run_id, tags)))


def _refuse_runs(tags: Sequence[str]) -> None:
    """Refuse a tag that is the id of a run. Most commands take several runs with spaces between them."""
    from fastadv_tui.runs.find import run_ids

    if named := {*tags} & {*run_ids()}:
        run_id = min(named)
        raise UserError(f"{run_id} is a run, not a tag; write several runs with commas: `fastadv tag RUN,{run_id} TAG`")


def _tag(run_id: str, tags: Sequence[str]) -> None:
    from fastadv_tui.history.index import History
    from fastadv_tui.history.notes import Notes, changed_tags
    from fastadv_tui.history.selection import run_folder

    absent: list[str] = []

    def change(notes: Notes) -> None:
        absent[:] = [word[1:] for word in tags if word.startswith("-") and word[1:] not in notes.tags]
        notes.tags = changed_tags(notes.tags, tags)

    row = History().edit(run_folder(run_id), change)
    missing = f" (it had no tag {one_line(', '.join(absent))})" if absent else ""
    print(f"{run_id}: {one_line(', '.join(row.tags)) or 'no tags'}{missing}", file=sys.stderr)
