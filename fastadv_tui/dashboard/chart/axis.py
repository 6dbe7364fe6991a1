"""The axes of a chart: scales on which every tick stands on a dot of its own, and the labels of the ticks.

A braille character is 2 dots wide and 4 high. All ticks of a linear y axis stand at the same place within their
characters. So they are evenly apart, and the label of a tick is beside its line.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from fastadv_tui.dashboard.chart import scale
from fastadv_tui.dashboard.chart.scale import DOTS_HIGH, DOTS_WIDE, Scale

TICK_DOT = 1  # the dot row of a y tick in its character, next to the middle, where the axis has its own stroke
Y_SPACINGS = range(2 * DOTS_HIGH, 9 * DOTS_HIGH, DOTS_HIGH)  # dots between two y ticks
X_SPACINGS = range(4 * DOTS_WIDE, 25 * DOTS_WIDE)  # dots between two x ticks
Y_TICKS, X_SPACING = 5, 10 * DOTS_WIDE  # number of y ticks and dots between two x ticks that please most
LOG_SIZES = (range(1, 10), (1, 2, 5), (1, 3), (1,))  # the ticks within a power of ten, the finest set first
FEWEST_TICKS = 3  # an axis with fewer is taken only if no other fits
LEAST_SPAN = 1e-9  # a range that is narrower, relative to its values, is widened like that of a flat curve


class Axis(Struct, frozen=True):
    """A scale with its ticks. ticks: values on the scale. texts: the label of each tick."""

    scale: Scale
    ticks: Sequence[float]
    texts: Sequence[str]


def y_axis(low: float, high: float, rows: int, percent: bool) -> Axis:
    """A linear axis of `rows` characters that holds [low, high].

    percent: values are fractions in [0,1], labelled in per cent. Their axis has no tick outside [0,1].
    """
    least = 0.0 if percent and low >= 0 else -math.inf  # a flat curve of zeros needs no negative fractions
    low, high = _widened(low, high)
    low = max(low, least)
    dots = DOTS_HIGH * rows
    good = max(dots / Y_TICKS, Y_SPACINGS[0])
    fits = [fit for spacing in Y_SPACINGS if (fit := _fit(low, high, dots, spacing, DOTS_HIGH, TICK_DOT, good))]
    best = max(fits, key=lambda fit: fit.score, default=None)
    if best is None:
        return Axis(Scale(low, high, dots), [], [])
    ticks = [tick for tick in best.ticks() if not percent or -1e-9 <= tick <= 1 + 1e-9]
    return Axis(best.scale, ticks, scale.labels(ticks, percent))


def log_axis(low: float, high: float, rows: int, percent: bool) -> Axis:
    """A logarithmic axis of `rows` characters. low, high and the ticks are logarithms to base 10."""
    low, high = _widened(low, high)
    dots = DOTS_HIGH * rows
    unit = (high - low) / max(dots - 3, 1)  # a dot below and a dot above stay free
    y = Scale(low - unit, high + unit, dots)
    ticks = next((found for found in _log_ticks(low, high) if _apart(found, y)), [])
    return Axis(y, ticks, [f"{100 * 10**tick:.4g}%" if percent else f"{10**tick:.4g}" for tick in ticks])


def x_axis(low: float, high: float, columns: int, gutter: int, unit: float) -> Axis:
    """A linear axis of `columns` characters that holds [low, high] and leaves the last `gutter` characters free.

    unit: size of the unit in which the ticks are labelled.
    """
    low, high = low / unit, max(high, low + max(LEAST_SPAN * abs(low), unit * (high <= low))) / unit
    dots, free = DOTS_WIDE * columns, DOTS_WIDE * min(gutter, columns // 3)
    fits = [fit for spacing in X_SPACINGS if (fit := _fit(low, high, dots - free, spacing, 1, 0, X_SPACING))]
    for fit in sorted(fits, key=lambda fit: -fit.score):
        ticks = [tick for tick in fit.ticks() if tick <= high + fit.unit / 2]
        texts = scale.labels(ticks)
        if len(ticks) > 1 and max(map(len, texts)) < fit.spacing // DOTS_WIDE:
            top = (fit.scale.low + (dots - 1) * fit.unit) * unit
            return Axis(Scale(fit.scale.low * unit, top, dots), [tick * unit for tick in ticks], texts)
    stretch = (high - low) / max(dots - free - 1, 1) * (dots - 1)
    return Axis(Scale(low * unit, (low + stretch) * unit, dots), [], [])


class _Fit(Struct, frozen=True):
    """A scale whose ticks are `step` apart, which is `spacing` dots. score: how well it pleases."""

    scale: Scale
    step: float
    spacing: int
    score: float

    @property
    def unit(self) -> float:
        return self.step / self.spacing

    def ticks(self) -> list[float]:
        slack = 1e-6 * self.unit
        first = math.ceil((self.scale.low - slack) / self.step)
        last = math.floor((self.scale.high + slack) / self.step)
        return [number * self.step for number in range(first, last + 1)]


def _fit(low: float, high: float, dots: int, spacing: int, raster: int, offset: int, good: float) -> _Fit | None:
    """The finest scale of `dots` dots that holds [low, high] and has a round tick every `spacing` dots.

    Every tick stands on a dot whose number is `offset` modulo `raster`. good: the spacing that pleases most.
    """
    step = scale.nice_step((high - low) / max(dots - 1, 1) * spacing)
    for _ in range(4):
        unit = step / spacing
        tick = math.floor(low / step + 1e-9) * step  # the last one that is not above the range
        bottom = tick + (math.floor(((low - tick) / unit + offset) / raster + 1e-9) * raster - offset) * unit
        if bottom + (dots - 1) * unit >= high - 1e-6 * unit:
            used = (high - low) / unit / max(dots - 1, 1)
            few = (dots - 1 - offset) // spacing + 1 < FEWEST_TICKS
            score = used - 0.1 * abs(math.log2(spacing / good)) - few
            return _Fit(Scale(bottom, bottom + (dots - 1) * unit, dots), step, spacing, score)
        step = scale.nice_step(step * 1.01)
    return None


def _widened(low: float, high: float) -> tuple[float, float]:
    """The range, widened if it is so narrow that ticks could not be told apart."""
    if high - low > max(LEAST_SPAN * max(abs(low), abs(high)), 1e-300):
        return low, high
    return low - (abs(low) / 2 or 0.5), high + (abs(high) / 2 or 0.5)


def _log_ticks(low: float, high: float) -> Iterator[list[float]]:
    """Sets of round ticks in [low, high], the finest first. Ticks are logarithms to base 10."""
    for step in (0.1, 0.2, 0.5) if high - low < 1 else ():
        size = step * 10 ** math.floor(high)
        first, last = math.ceil(10**low / size - 1e-9), math.floor(10**high / size + 1e-9)
        yield [math.log10(number * size) for number in range(max(first, 1), last + 1)]
    decades = range(math.floor(low), math.ceil(high) + 1)
    for sizes in LOG_SIZES:
        ticks = [decade + math.log10(size) for decade in decades for size in sizes]
        yield [tick for tick in ticks if low - 1e-9 <= tick <= high + 1e-9]
    for every in (2, 5, 10, 20, 50, 100):
        yield [float(decade) for decade in decades if decade % every == 0 and low - 1e-9 <= decade <= high + 1e-9]


def _apart(ticks: Sequence[float], y: Scale) -> bool:
    """Whether there are ticks, and a row is free between any two."""
    rows = [y.dot(tick) // DOTS_HIGH for tick in ticks]
    return bool(rows) and all(after - before > 1 for before, after in pairwise(rows))
