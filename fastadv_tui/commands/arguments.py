"""Arguments and options that several commands share, and what a shell offers for them."""

from typing import Annotated

import typer

from fastadv_tui.commands import completion

METHODS = "standard, fgsm, pgd or free"
DATASETS = "digits, cifar (cifar10), cifar100, mnist, imagenet or imagefolder:PATH"
Dataset = Annotated[
    str, typer.Argument(help=f"Data set: {DATASETS}.", show_default=False, autocompletion=completion.datasets)
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any other setting; may be repeated.",
        autocompletion=completion.settings,
    ),
]
Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A unique prefix of a run's id, or `last`.", autocompletion=completion.runs)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
