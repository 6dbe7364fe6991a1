"""What a chart shows: its series and options, and the curves that are ready to be drawn."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from fastadv_tui.dashboard.chart import scale
from fastadv_tui.text.sanitize import one_line

COLOURS = 7
MARKERS = "●■▲◆○□△◇"  # one more than the colours, so that series that share a colour differ in their marker
GRID, AXIS, THRESHOLD, MARK, TEXT = range(COLOURS, COLOURS + 5)  # looks beside those of the series
FAINT, CURSOR = 16, 32  # added to a look
LARGEST = 1e100  # what lies beyond is a gap, like infinity: the arithmetic of axes would overflow

Cell = tuple[str, int]  # a character one cell wide (in a legend: a piece of text) and its look
Row = list[Cell]


class Series(Struct, frozen=True, kw_only=True):
    """One curve. `xs` ascend; NaN in `ys` is a gap. `look` numbers its colour and marker, by default its place in
    the list; a faint series is drawn under the others."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    look: int | None = None
    faint: bool = False


class Threshold(Struct, frozen=True):
    """A horizontal line."""

    y: float
    label: str


class Mark(Struct, frozen=True):
    """A vertical line, and its glyph on the axis."""

    x: float
    glyph: str
    label: str


class Options(Struct, frozen=True, kw_only=True):
    """How a chart shows its series. `percent` takes fractions in [0,1], `time` takes seconds; `smoothing` is the
    weight of the past in [0,1); `x_range` is that of the data if None."""

    y: Literal["plain", "percent"] = "plain"
    x: Literal["epoch", "time"] = "epoch"
    log_y: bool = False
    smoothing: float = 0.0
    x_range: tuple[float, float] | None = None
    threshold: Threshold | None = None
    marks: tuple[Mark, ...] = ()
    empty: str = "Nothing to draw yet"


class Curve(Struct):
    """A series ready to be drawn: the values that are read, and the same where they are drawn (logarithms, maybe)."""

    name: str
    xs: Sequence[float]
    read: Sequence[float]
    drawn: Sequence[float]
    look: int
    marker: str
    low: float
    high: float
    last: float


def prepare(series: Iterable[Series], options: Options) -> list[Curve]:
    """What drawing needs to know of the data, faint series first; series with no finite value are left out."""
    ready = [_curve(each, place, options) for place, each in enumerate(series)]
    return sorted((curve for curve in ready if curve), key=lambda curve: curve.look < FAINT)


def _curve(series: Series, place: int, options: Options) -> Curve | None:
    points = min(len(series.xs), len(series.ys))  # of lists that grow, one may be a point ahead of the other
    ys = [y if -LARGEST <= y <= LARGEST else math.nan for y in series.ys[:points]]
    read = scale.smooth(ys, options.smoothing)
    drawn = scale.log10(read) if options.log_y else read
    pieces = [drawn[begin:end] for begin, end in scale.finite_runs(drawn, 0, points)]
    if not pieces:
        return None
    number = place if series.look is None else series.look
    return Curve(
        name=one_line(series.name),
        xs=series.xs[:points],
        read=read,
        drawn=drawn,
        look=number % COLOURS + (FAINT if series.faint else 0),
        marker=MARKERS[number % len(MARKERS)],
        low=min(map(min, pieces)),
        high=max(map(max, pieces)),
        last=10 ** pieces[-1][-1] if options.log_y else pieces[-1][-1],
    )


def x_unit(options: Options, span: float) -> tuple[float, str]:
    """The unit in which the x axis is labelled: its size in the data's own, and its name."""
    return scale.time_unit(span) if options.x == "time" else (1.0, "epoch")
