"""`eval`: the robust accuracy of a run's weights, or of a file that was trained elsewhere."""

from typing import Annotated

import typer

from fastadv_tui.commands import completion

EXAMPLES = (
    "Examples: fastadv eval last --eps 2,4,8 · fastadv eval weights.pt --model preact-resnet18 --dataset cifar "
    "--eps 8 --attack pgd-50-10 --limit 1000"
)


def register(app: typer.Typer) -> None:
    app.command("eval", epilog=EXAMPLES)(evaluate)


def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE|RUN", help="A state dict (.pt, .pth, .safetensors), or a run.", autocompletion=completion.runs
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="Network that the weights of a FILE are for.", autocompletion=completion.networks)
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data set; a FILE needs it.", autocompletion=completion.datasets)
    ] = None,
    eps: Annotated[str | None, typer.Option(help="Radius of the l-infinity ball, or several: 2,4,8.")] = None,
    attack: Annotated[str | None, typer.Option(help="pgd-50-10 or another pgd-STEPS[-RESTARTS].")] = None,
    limit: Annotated[
        str | None, typer.Option(help="First N test images, 0 for all; default 1,000 on a CPU, else all.")
    ] = None,
    normalize: Annotated[
        str | None,
        typer.Option(
            help="What a FILE was trained on: dataset (images less its mean, over its std), none, or MEAN/STD."
        ),
    ] = None,
    which: Annotated[str, typer.Option(help="Of a RUN: last, or best (before it collapsed).")] = "last",
    seed: Annotated[str | None, typer.Option(help="Seed of the random starts.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda:N.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the data sets; default $FASTADV_HOME/data.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure anew what was measured before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers, one JSON object a line.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other setting, e.g. model.width=16.",
            autocompletion=completion.settings,
        ),
    ] = None,
) -> None:
    """Clean accuracy and accuracy under attack of weights that are there. Ctrl-C keeps the progress."""
    from fastadv_tui.launch import eval_request
    from fastadv_tui.launch.submission import merge, parse_pairs
    from fastadv_tui.terminal import answer_display

    typed: dict[str, str | None] = {
        "model.name": model,
        "eval.attack": attack,
        "eval.images": limit,
        "seed": seed,
        "device": device,
        "data_dir": data_dir,
    }
    merge(typed, parse_pairs(settings or ()))
    request = eval_request.request(target, dataset, typed, eps, normalize, which, again)
    raise typer.Exit(answer_display.evaluate(request, as_json))
