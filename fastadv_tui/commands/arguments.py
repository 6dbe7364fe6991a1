"""Arguments and options that several commands share, with their shell completions."""

from collections.abc import Sequence
from typing import Annotated

import typer

from fastadv_tui.commands import completion

RUN_HELP = "id, unique beginning of an id or unique name; `last`, or the last of a status, such as `last-failed`"
MAX_LISTED = 8  # ids that a question lists

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any other setting; may be repeated. `fastadv settings` lists all.",
        autocompletion=completion.settings,
    ),
]
Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN...", help=f"Runs, each by {RUN_HELP}.", autocompletion=completion.runs),
]
Run = Annotated[str, typer.Argument(metavar="RUN", help=f"A run, by {RUN_HELP}.", autocompletion=completion.runs)]
Filter = Annotated[
    str,
    typer.Option(
        "--filter",
        metavar="FILTER",
        help="In place of RUN: all runs that pass, e.g. 'tag:paper status=failed' (see `fastadv runs --help`).",
    ),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Tag of the run; may be repeated.")]
Slots = Annotated[
    int,
    typer.Option(
        min=1,
        help="Number of runs that may use the device at the same time. Give all of these runs the same number.",
    ),
]
SameAsSeeds = Annotated[bool, typer.Option("--group", hidden=True)]  # a second word for --seeds of another command
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def confirm(question: str, ids: Sequence[str], yes: bool) -> None:
    """Ask about several runs. question: with `{}` for their number. Raises: typer.Abort, unless the user agrees."""
    if not yes:
        some = ", ".join(ids[:MAX_LISTED]) + ", ..." * (len(ids) > MAX_LISTED)
        typer.confirm(f"{question.format(len(ids))} ({some})", abort=True, err=True)
