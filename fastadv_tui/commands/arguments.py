"""Arguments and options that several commands share, with their shell completions."""

from typing import Annotated

import typer

from engine.config.datasets import dataset_names
from fastadv_tui.commands import completion

Dataset = Annotated[
    str, typer.Argument(help=f"Data set: {dataset_names()}.", show_default=False, autocompletion=completion.datasets)
]
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
    list[str],
    typer.Argument(metavar="RUN...", help="Unique prefixes of run ids, or `last`.", autocompletion=completion.runs),
]
Run = Annotated[
    str, typer.Argument(metavar="RUN", help="Unique prefix of a run's id, or `last`.", autocompletion=completion.runs)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
