"""Draws a figure: `python -P -m fastadv_tui.figure.draw FORMAT ...`, a Picture as JSON on stdin.

On stdout comes a JSON object with the content of a file for each format, in base64.
This is a process of its own because matplotlib takes a second to load, and the face should not hold it.
"""

import io
import math
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from engine.config.typed import decode
from fastadv_tui.figure.picture import Line, Picture

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # Okabe and Ito
MARKERS = ("o", "s", "^", "D", "v")  # of the lines after the first, second, ... use of all colours
STAR: dict[str, Any] = {"marker": "*", "markersize": 7.0, "linestyle": "none", "clip_on": False, "zorder": 3}
ERROR_BAR: dict[str, Any] = {"fmt": "none", "capsize": 2.0, "elinewidth": 0.8, "clip_on": False, "zorder": 3}
GREY = "#555555"
MAX_COLUMNS = 3  # of the legend
ENTRY_HEIGHT = 0.14  # inches of a row of the legend
HEADROOM = 1.03  # of the y axis, so that no marker is cut
ASPECT = 0.7  # height of the figure over its width
STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelpad": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.0,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "legend.handlelength": 1.6,
    "figure.constrained_layout.w_pad": 0.02,
    "figure.constrained_layout.h_pad": 0.02,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # fonts as TrueType: some publishers refuse the default
    "svg.fonttype": "path",  # letters as outlines, so that the figure looks the same everywhere
    "svg.hashsalt": "fastadv",  # the same figure gives the same file
    "text.parse_math": False,  # a label may hold a dollar sign
}
FONTS: dict[str, dict[str, Any]] = {  # both come with matplotlib, so that every machine draws the same
    "serif": {"font.family": "serif", "font.serif": ["STIXGeneral"], "mathtext.fontset": "stix"},
    "sans": {"font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"]},
}
METADATA: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


def draw(picture: Picture, form: str) -> bytes:
    """The content of a file with the figure. form: pdf, svg or png."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    out = io.BytesIO()
    style: Any = {**STYLE, **FONTS[picture.font]}
    with mpl.rc_context(style):
        figure = Figure(figsize=(picture.width, ASPECT * picture.width), layout="constrained")
        axes = figure.add_subplot()
        for line in picture.lines:
            _draw_line(axes, line)
        axes.set_xlabel(picture.x_label)
        axes.set_ylabel(picture.y_label)
        axes.margins(x=0.02)
        _give_room(axes, picture)
        axes.locator_params(axis="x", nbins=7, integer=picture.whole_x)
        if picture.from_zero:
            axes.set_ylim(0, HEADROOM * axes.get_ylim()[1])
        _draw_legend(figure, picture)
        figure.savefig(out, format=form, metadata=METADATA[form])
    return out.getvalue()


def _give_room(axes: Any, picture: Picture) -> None:
    """Let the x axis begin at 0 if all points have the same x, about which matplotlib would show a tiny range."""
    places = {x for line in picture.lines for x in line.xs}
    if len(places) == 1 and (place := places.pop()) > 0:
        axes.set_xlim(0, 2 * place)


def _look(line: Line) -> dict[str, Any]:
    """The colour of a line, and the marker that tells lines with one colour apart."""
    cycle, number = divmod(line.look, len(COLOURS))
    marker = MARKERS[cycle % len(MARKERS)] if line.points or cycle else None
    return {"color": COLOURS[number], "marker": marker}


def _draw_line(axes: Any, line: Line) -> None:
    if line.mark:
        colour = _look(line)["color"]
        axes.plot(line.xs, line.ys, **STAR, color=colour)
        if line.low:
            reach = [high - y for high, y in zip(line.high, line.ys, strict=True)]  # below it is as far
            axes.errorbar(line.xs, line.ys, yerr=reach, color=colour, **ERROR_BAR)
        return
    hollow = {"markerfacecolor": "white"} if line.dashed and len(line.xs) == 1 else {}  # one point shows no dashes
    axes.plot(line.xs, line.ys, linestyle="--" if line.dashed else "-", **_look(line), **hollow)
    if line.low:
        axes.fill_between(line.xs, line.low, line.high, color=_look(line)["color"], alpha=0.18, linewidth=0)


def _draw_legend(figure: Any, picture: Picture) -> None:
    """Entries for what tells the runs apart, for solid and dashed lines if there are both, for stars and for bands.

    They stand below the axes, where no line can cross them. The figure becomes higher, and its width stays as it is.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    looks = {line.label: _look(line) for line in picture.lines if line.label}
    handles: list[Any] = [Line2D([], [], label=label, **look) for label, look in looks.items()]
    if picture.solid and picture.dashed:
        single = any(line.dashed and len(line.xs) == 1 for line in picture.lines)
        marker: dict[str, Any] = {"color": GREY} | ({"marker": MARKERS[0]} if single else {})
        handles.append(Line2D([], [], label=picture.solid, **marker))
        handles.append(Line2D([], [], label=picture.dashed, linestyle="--", markerfacecolor="white", **marker))
    if picture.mark:
        handles.append(Line2D([], [], label=picture.mark, color=GREY, **STAR))
    if picture.band:
        handles.append(Patch(label=picture.band, color=GREY, alpha=0.3, linewidth=0))
    if not handles:
        return
    columns = _columns_that_fit(figure, handles)
    height = ASPECT * picture.width + ENTRY_HEIGHT * math.ceil(len(handles) / columns)
    figure.set_size_inches(picture.width, height)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _columns_that_fit(figure: Any, handles: Sequence[Any]) -> int:
    """The most columns with which a legend is not wider than the figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    for columns in range(MAX_COLUMNS, 1, -1):
        legend = figure.legend(handles=handles, ncols=columns)
        wide = legend.get_window_extent(renderer).width
        legend.remove()
        if wide <= figure.bbox.width:
            return columns
    return 1


def main() -> int:
    picture = decode(sys.stdin.buffer.read(), Picture)
    sys.stdout.buffer.write(msgspec.json.encode({form: draw(picture, form) for form in sys.argv[1:]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
