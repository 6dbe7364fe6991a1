"""`prepare`: resized copies of a large image data set."""

from typing import Annotated

import typer

EXAMPLES = (
    "Examples: fastadv prepare imagenet /data/ILSVRC2012 · fastadv prepare imagenet ~/imagenet --sizes 128,224,288 "
    "--workers 16 · fastadv prepare flowers ~/flowers --sizes 160 --out /fast/flowers"
)


def register(app: typer.Typer) -> None:
    app.command("prepare", epilog=EXAMPLES)(prepare)


def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The data set: imagenet, or a name of your own.")],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC", help="A folder with ImageNet's official tar files, or with train/CLASS and val/CLASS."
        ),
    ],
    sizes: Annotated[str, typer.Option(help="Pixels of the shorter side of each set of copies.")] = "160,352",
    out: Annotated[str | None, typer.Option(help="Folder of the copies; default $FASTADV_HOME/data/NAME.")] = None,
    quality: Annotated[int, typer.Option(help="Quality of the JPEGs, 1 to 100.")] = 90,
    workers: Annotated[int | None, typer.Option(help="Processes at work; default every available core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers, one JSON object a line.")] = False,
) -> None:
    """Smaller copies of an image data set, for quick training. Ctrl-C keeps what is done: the same command goes on.

    An image that is small enough is copied as it is; whatever is not RGB becomes RGB; broken images are named.
    """
    from fastadv_tui.launch import prepare_request
    from fastadv_tui.terminal import answer_display

    request = prepare_request.request(name, source, sizes, out, quality, workers)
    raise typer.Exit(answer_display.prepare(request, as_json))
