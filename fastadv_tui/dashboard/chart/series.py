"""The input of a chart (series and options), and the curves prepared from it for drawing."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from fastadv_tui.dashboard.chart import scale
from fastadv_tui.text.sanitize import one_line

COLOURS = 7
MARKERS = "●■▲◆○□△◇"  # one more than the colours, so that series that share a colour differ in their marker
GRID, AXIS, THRESHOLD, MARK, TEXT = range(COLOURS, COLOURS + 5)  # the looks after those of the series
FAINT, CURSOR = 16, 32  # flags that are added to a look
MAX_VALUE = 1e100  # a larger value is a gap, like infinity: the arithmetic of the axes would overflow

Cell = tuple[str, int]  # a character one cell wide (in a legend: a text), and its look, the number of its colour
Row = list[Cell]


class Series(Struct, frozen=True, kw_only=True):
    """The points of one curve. `xs` ascend; NaN in `ys` is a gap. `look` is the number of its colour and marker, by
    default the index of the series. A faint series is drawn under the others."""

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
    """A vertical line, with a glyph on the x axis."""

    x: float
    glyph: str
    label: str


class Options(Struct, frozen=True, kw_only=True):
    """How a chart shows its series. y = "percent": `ys` are fractions in [0,1]. x = "time": `xs` are seconds;
    "work": floating-point operations; "eps": fractions in [0,1].

    smoothing: weight of the past in [0,1). x_range: limits of the x axis; None takes those of the data.
    empty: text of a chart without data.
    """

    y: Literal["plain", "percent"] = "plain"
    x: Literal["epoch", "time", "work", "eps"] = "epoch"
    log_y: bool = False
    smoothing: float = 0.0
    x_range: tuple[float, float] | None = None
    threshold: Threshold | None = None
    marks: tuple[Mark, ...] = ()
    empty: str = "Nothing to draw yet"


class Curve(Struct):
    """A series prepared for drawing.

    values: the smoothed values, which the legend shows. drawn: `values`, or their logarithms on a logarithmic axis.
    low, high: limits of `drawn`. last: the last value that is not a gap.
    """

    name: str
    xs: Sequence[float]
    values: Sequence[float]
    drawn: Sequence[float]
    look: int
    marker: str
    low: float
    high: float
    last: float


def prepare(series: Iterable[Series], options: Options) -> list[Curve]:
    """The curves to draw, faint ones first. A series without a finite value has no curve."""
    curves = [_curve(each, place, options) for place, each in enumerate(series)]
    return sorted((curve for curve in curves if curve), key=lambda curve: curve.look < FAINT)


def _curve(series: Series, place: int, options: Options) -> Curve | None:
    points = min(len(series.xs), len(series.ys))  # the lists grow, so one may be a point ahead of the other
    ys = [y if -MAX_VALUE <= y <= MAX_VALUE else math.nan for y in series.ys[:points]]
    values = scale.smooth(ys, options.smoothing)
    drawn = scale.log10(values) if options.log_y else values
    pieces = [drawn[begin:end] for begin, end in scale.finite_ranges(drawn, 0, points)]
    if not pieces:
        return None
    number = place if series.look is None else series.look
    return Curve(
        name=one_line(series.name),
        xs=series.xs[:points],
        values=values,
        drawn=drawn,
        look=number % COLOURS + (FAINT if series.faint else 0),
        marker=MARKERS[number % len(MARKERS)],
        low=min(map(min, pieces)),
        high=max(map(max, pieces)),
        last=10 ** pieces[-1][-1] if options.log_y else pieces[-1][-1],
    )


def x_unit(options: Options, span: float) -> tuple[float, str]:
    """The unit of the labels on the x axis: its size in units of `xs`, and its name. span: length of the axis."""
    match options.x:
        case "time":
            return scale.time_unit(span)
        case "work":
            return scale.work_unit(span)
        case "eps":
            return 1 / 255, "eps"
    return 1.0, "epoch"
