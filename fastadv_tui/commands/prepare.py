"""`prepare`: makes resized copies of a large image data set."""

from typing import Annotated

import typer

EXAMPLES = (
    "Examples: fastadv prepare imagenet /data/ILSVRC2012 · fastadv prepare imagenet ~/imagenet --sizes 128,224,288 "
    "--workers 16 · fastadv prepare flowers ~/flowers --sizes 160 --out /fast/flowers"
)


def register(app: typer.Typer) -> None:
    app.command("prepare", epilog=EXAMPLES)(prepare)


def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the data set: imagenet, or a name of your own.")],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SRC", help="Folder with ImageNet's official tar files, or with train/CLASS and val/CLASS."
        ),
    ],
    sizes: Annotated[
        str, typer.Option(help="Lengths of the shorter side in pixels; each length gives one set of copies.")
    ] = "160,352",
    out: Annotated[str | None, typer.Option(help="Folder of the copies; default: $FASTADV_HOME/data/NAME.")] = None,
    quality: Annotated[int, typer.Option(help="JPEG quality of the copies, 1 to 100.")] = 90,
    workers: Annotated[
        int | None, typer.Option(help="Number of worker processes; default: the available cores.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print progress and results as JSON, one object per line.")
    ] = False,
) -> None:
    """Make smaller copies of an image data set, for fast training. After Ctrl-C, the same command continues.

    Images that are small enough are copied unchanged. Images that are not RGB become RGB.
    Unreadable images are left out and listed.
    """
    from fastadv_tui.launch import prepare_request
    from fastadv_tui.terminal import answer_display

    request = prepare_request.request(name, source, sizes, out, quality, workers)
    raise typer.Exit(answer_display.prepare(request, as_json))
