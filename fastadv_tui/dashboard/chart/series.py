"""The input of a chart (series and options), and the curves prepared from it for drawing."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from fastadv_tui.dashboard.chart import scale
from fastadv_tui.text.sanitize import one_line

COLOURS = 7
REST, GRID, AXIS, THRESHOLD, MARK, TEXT = range(COLOURS, COLOURS + 6)  # the looks after those of the series
FAINT, CURSOR = 16, 32  # flags that are added to a look: of a band, and of what is under the cursor
MAX_VALUE = 1e100  # a larger value is a gap, like infinity: the arithmetic of the axes would overflow
LINE = "━"  # stands for a curve in the legend

Cell = tuple[str, int]  # a character one cell wide (in a legend: a text), and its look, the number of its colour
Row = list[Cell]


class Series(Struct, frozen=True, kw_only=True):
    """The points of one curve. `xs` ascend; NaN in `ys` is a gap.

    name, look, glyph: series that agree in them are of one run, and share an item of the legend. look is the number of
    the colour, by default the index of the series; looks from COLOURS on are grey. A series lies above those after it.
    points: only the points are drawn, without lines. tag: words behind the last value, if they have room. sign: a
    character before the last value, which the legend explains. lows, highs: the borders of a band around the curve,
    as long as `ys`.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    look: int | None = None
    glyph: str = LINE
    dotted: bool = False
    points: bool = False
    tag: str = ""
    sign: str = ""
    lows: Sequence[float] = ()
    highs: Sequence[float] = ()


class Threshold(Struct, frozen=True):
    """A horizontal line with a label."""

    y: float
    label: str


class Mark(Struct, frozen=True):
    """A vertical line, with a glyph on the x axis."""

    x: float
    glyph: str
    label: str


class Options(Struct, frozen=True, kw_only=True):
    """How a chart shows its series. y = "percent": `ys` are fractions in [0,1]. x = "time": `xs` are seconds.

    x = "work": `xs` are floating-point operations. x = "eps": `xs` are perturbation sizes in units
    of 1/255. x = "l2": `xs` are perturbation sizes of this norm.
    smoothing: weight of the past in [0,1). x_range: limits of the x axis; None takes those of the data.
    pair: what the values of one run in the legend are, such as `clean / PGD-10`. empty: text of a chart without data.
    """

    y: Literal["plain", "percent"] = "plain"
    x: Literal["epoch", "time", "work", "eps", "l2"] = "epoch"
    log_y: bool = False
    smoothing: float = 0.0
    x_range: tuple[float, float] | None = None
    threshold: Threshold | None = None
    marks: tuple[Mark, ...] = ()
    pair: str = ""
    empty: str = "nothing to draw"


class Curve(Struct):
    """A series prepared for drawing.

    values: the smoothed values, which the legend shows. drawn, lows, highs: `values` and the borders of the band, or
    their logarithms on a logarithmic axis. low, high: limits of all that is drawn. last: the last value that is not a
    gap. end: the index of that value.
    """

    series: Series
    name: str
    xs: Sequence[float]
    values: Sequence[float]
    drawn: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]
    look: int
    low: float
    high: float
    end: int

    @property
    def last(self) -> float:
        return self.values[self.end]


def prepare(series: Iterable[Series], options: Options) -> list[Curve]:
    """The curves to draw, the topmost first. A series without a finite value has no curve."""
    curves = (_curve(each, place, options) for place, each in enumerate(series))
    return [curve for curve in curves if curve]


def _curve(series: Series, place: int, options: Options) -> Curve | None:
    points = min(len(series.xs), len(series.ys))  # the lists grow, so one may be a point ahead of the other
    values = scale.smooth(_finite(series.ys[:points]), options.smoothing)
    drawn = scale.log10(values) if options.log_y else values
    pieces = [drawn[begin:end] for begin, end in scale.finite_ranges(drawn, 0, points)]
    if not pieces or not all(-MAX_VALUE <= x <= MAX_VALUE for x in (series.xs[0], series.xs[points - 1])):
        return None
    lows, highs = (
        scale.log10(border) if options.log_y else border
        for border in (_finite(series.lows[:points]), _finite(series.highs[:points]))
    )
    limits = [*map(min, pieces), *map(max, pieces), *scale.finite_values([*lows, *highs])]
    return Curve(
        series=series,
        name=one_line(series.name),
        xs=series.xs[:points],
        values=values,
        drawn=drawn,
        lows=lows,
        highs=highs,
        look=min(place if series.look is None else series.look, REST),
        low=min(limits),
        high=max(limits),
        end=scale.finite_ranges(drawn, 0, points)[-1][1] - 1,
    )


def _finite(ys: Sequence[float]) -> list[float]:
    return [y if -MAX_VALUE <= y <= MAX_VALUE else math.nan for y in ys]


def x_unit(options: Options, span: float) -> tuple[float, str]:
    """The unit of the labels on the x axis: its size in units of `xs`, and its name. span: length of the axis."""
    if options.x == "time":
        return scale.time_unit(span)
    if options.x == "work":
        return scale.work_unit(span)
    return 1.0, {"eps": "1/255", "l2": "l2"}.get(options.x, "epoch")
