"""Arguments and options that several commands share."""

from typing import Annotated

import typer

from engine.config.datasets import dataset_names

Dataset = Annotated[str, typer.Argument(help=f"Data set: {dataset_names()}.", show_default=False)]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting; may be repeated.")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A unique prefix of a run's id, or `last`.")]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
