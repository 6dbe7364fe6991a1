"""`import`: makes rows and curves of runs that other programs have logged."""

import sys
from typing import Annotated, get_args

import typer

from fastadv_tui.commands.arguments import Tags
from fastadv_tui.errors import UserError

EXAMPLES = (
    "Examples: fastadv import csv curve.csv --dataset cifar --eps 8 --attack pgd-20 · "
    "fastadv import tensorboard logs --map robust=val/pgd_acc · fastadv import wandb-offline wandb"
)


def register(app: typer.Typer) -> None:
    app.command("import", epilog=EXAMPLES)(import_)


def import_(
    source: Annotated[str, typer.Argument(metavar="csv|tensorboard|wandb-offline", help="What to read.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="File, or a folder of runs.")],
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIGURE=NAME",
            help="Name of a figure in the file: loss, accuracy, lr, clean, robust, final_clean, final_robust. "
            "May be repeated. Usual names are known.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the run; default: that in the file.")] = "",
    dataset: Annotated[str, typer.Option(help="Data set of the runs, if the file does not say.")] = "",
    method: Annotated[str, typer.Option(help="Training method, if the file does not say.")] = "",
    norm: Annotated[str, typer.Option(help="Norm of the threat model: linf or l2.")] = "",
    eps: Annotated[str, typer.Option(help="Radius of the ball, as 8 or 8/255.")] = "",
    attack: Annotated[str, typer.Option(help="Attack of the robust accuracy, as pgd-20.")] = "",
    images: Annotated[int, typer.Option(min=0, help="Number of images of the accuracies.")] = 0,
    steps_per_epoch: Annotated[
        float,
        typer.Option(min=0, help="Weight updates in an epoch, if the file does not say; default: one evaluation each."),
    ] = 0,
    tags: Tags = None,
) -> None:
    """Import runs of other programs, to compare with. They have the status `foreign`, and cannot be resumed.

    csv: a curve with a column `step` or `epoch`, or a table with a line for each run. tensorboard: event files.
    wandb-offline: run-ID.wandb. Accuracies may be in percent. An import that is repeated replaces the runs.
    """
    from fastadv_tui.foreign.figures import parse_maps
    from fastadv_tui.foreign.import_runs import import_runs
    from fastadv_tui.foreign.make import Typed
    from fastadv_tui.paths import typed_path
    from fastadv_tui.runs.foreign import Source
    from fastadv_tui.terminal.import_output import print_imported

    known: tuple[Source, ...] = get_args(Source)
    chosen = next((one for one in known if one == source), None)
    if chosen is None:
        raise UserError(f"{source!r} cannot be imported; use {', '.join(known[:-1])} or {known[-1]}")
    typed = Typed(
        name=name, dataset=dataset, method=method, norm=norm, eps=eps, attack=attack, images=images,
        steps_per_epoch=steps_per_epoch, maps=parse_maps(maps or ()),
    )  # fmt: skip
    rows = import_runs(chosen, typed_path(path), typed, tags or ())
    print_imported(rows, sys.stdout)
