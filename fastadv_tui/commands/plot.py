"""`plot`: draws runs as a figure for a paper."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs, SameAsSeeds
from fastadv_tui.errors import UserError

EXAMPLES = (
    "Examples: fastadv plot last -o curve.pdf · fastadv plot --filter tag:sweep-1 --seeds -o seeds.svg · "
    "fastadv plot k3f9 p2x7 --kind eps -o eps.pdf"
)


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(plot)


def plot(
    runs: Runs = None,
    filter_: Filter = "",
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="File to write: .pdf or .svg (vectors), or .png.")
    ] = "figure.pdf",
    kind: Annotated[
        str,
        typer.Option(
            metavar="[accuracy|loss|time|work|eps]",
            help="What to show: clean and robust accuracy, or the training loss, against epochs; robust accuracy "
            "against training time, against work in FLOPs, or against eps as `fastadv eval` measured it.",
        ),
    ] = "accuracy",
    seeds: Annotated[
        bool,
        typer.Option(
            "--seeds", help="Draw runs that differ only in their seed as one line: mean, ± std from 3 seeds on."
        ),
    ] = False,
    group: SameAsSeeds = False,
    font: Annotated[str, typer.Option(metavar="[serif|sans]", help="Font of the labels.")] = "serif",
    width: Annotated[float, typer.Option(min=1.0, max=20.0, help="Width of the figure in inches.")] = 3.4,
) -> None:
    """Draw runs as a figure for a paper. The legend says only what tells the runs apart.

    Needs matplotlib: pip install 'fastadv\\[plot]'.
    """
    from fastadv_tui.figure.kinds import groups_without_band
    from fastadv_tui.figure.write import write_figure
    from fastadv_tui.history.selection import selected_rows
    from fastadv_tui.history.significance import MIN_SEEDS
    from fastadv_tui.paths import typed_path

    if font not in ("serif", "sans"):
        raise UserError(f"--font {font!r}: use serif or sans")
    rows, path = selected_rows(runs or (), filter_), typed_path(out)
    write_figure(rows, kind, path, seeds or group, "serif" if font == "serif" else "sans", width)
    without = groups_without_band(rows) if seeds or group else 0
    note = f"; no band where there are fewer than {MIN_SEEDS} seeds" * bool(without)
    print(f"{path}: {len(rows)} run{'s' * (len(rows) != 1)}{note}", file=sys.stderr)
