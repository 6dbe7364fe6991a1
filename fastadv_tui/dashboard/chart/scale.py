"""The arithmetic of charts: scales, smoothing, and the reduction of points to the dots of a terminal."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

DOTS_WIDE = 2  # a braille character is 2 dots wide and 4 high
DOTS_HIGH = 4
BRAILLE = 0x2800  # the empty braille character
# bits of the dots in the left and right half of a character; bit b of the index is row b from below
LEFT = tuple(sum(bit for row, bit in enumerate((0x40, 0x04, 0x02, 0x01)) if rows >> row & 1) for rows in range(16))
RIGHT = tuple(sum(bit for row, bit in enumerate((0x80, 0x20, 0x10, 0x08)) if rows >> row & 1) for rows in range(16))


class Scale(Struct, frozen=True):
    """Maps values in [low, high] linearly to the dots 0 .. dots-1."""

    low: float
    high: float
    dots: int

    def dot(self, value: float) -> int:
        """The dot nearest to a value; values outside the scale are put at its border."""
        place = (value - self.low) / ((self.high - self.low) or 1.0) * (self.dots - 1) + 0.5
        if 0 <= place < self.dots:  # without min and max: drawing spends most of its time here
            return int(place)
        return 0 if place < 0 else self.dots - 1

    def value(self, dot: float) -> float:
        return self.low + dot / max(self.dots - 1, 1) * (self.high - self.low)


class Span(Struct, frozen=True):
    """The values of a curve in one column of dots: the first, the lowest, the highest and the last."""

    column: int
    first: float
    low: float
    high: float
    last: float


def decimate(xs: Sequence[float], ys: Sequence[float], x: Scale) -> list[list[Span]]:
    """Reduce a curve to one span for each column of dots that has points; a new list begins after each gap.

    `xs` ascend. Points outside the scale are left out. NaN and infinite values are gaps, across which no line is
    drawn. No extreme is lost, however many points fall into one column.
    """
    start, stop = bisect_left(xs, x.low), bisect_left(xs, math.nextafter(x.high, math.inf))
    edges = _edges(xs, x, start, stop)
    return [_spans(ys, edges, begin, end) for begin, end in finite_ranges(ys, start, stop)]


def _edges(xs: Sequence[float], x: Scale, start: int, stop: int) -> list[tuple[int, int]]:
    """For each column of dots that has points: the number of the column, and the index after its last point."""
    edges = []
    while start < stop:
        column = x.dot(xs[start])
        after = bisect_left(xs, x.value(column + 0.5), start + 1, stop) if column + 1 < x.dots else stop
        edges.append((column, after))
        start = after
    return edges


def _spans(ys: Sequence[float], edges: list[tuple[int, int]], begin: int, end: int) -> list[Span]:
    spans = []
    for column, after in edges[bisect_left(edges, begin + 1, key=lambda edge: edge[1]) :]:
        part = ys[begin : min(after, end)]
        spans.append(Span(column, part[0], min(part), max(part), part[-1]))
        begin = after
        if begin >= end:
            break
    return spans


def finite_ranges(ys: Sequence[float], start: int, stop: int) -> list[tuple[int, int]]:
    """The index ranges of `ys[start:stop]` in which every value is finite."""
    if math.isfinite(sum(ys[start:stop])):  # false if there is a gap, but also if the sum overflows
        return [(start, stop)] if start < stop else []
    gaps = [index for index in range(start, stop) if not math.isfinite(ys[index])]
    borders = zip([start - 1, *gaps], [*gaps, stop], strict=True)
    return [(before + 1, after) for before, after in borders if before + 1 < after]


def columns_of_dots(pieces: list[list[Span]], y: Scale) -> dict[int, int]:
    """The dots of a curve as one integer for each column. Bit b is the dot b above the lower border.

    Straight lines join neighbouring points, so that a steep curve has no holes.
    """
    columns: dict[int, int] = {}
    for piece in pieces:
        before, left_at = piece[0].column, y.dot(piece[0].first)
        for span in piece:
            low, high, first = y.dot(span.low), y.dot(span.high), y.dot(span.first)
            columns[span.column] = columns.get(span.column, 0) | _bits(low, high)
            if span.column > before + 1 or not -1 <= first - left_at <= 1:
                _join(columns, before, left_at, span.column, first)
            before, left_at = span.column, y.dot(span.last)
    return columns


def _join(columns: dict[int, int], column: int, dot: int, to_column: int, to_dot: int) -> None:
    """Add a straight line between two dots. Each column gets the line up to half-way to its neighbours."""
    width, here = to_column - column, dot
    for step in range(width + 1):
        until = dot + round((to_dot - dot) * min((step + 0.5) / width, 1.0)) if width else to_dot
        columns[column + step] = columns.get(column + step, 0) | _bits(min(here, until), max(here, until))
        here = until


def _bits(low: int, high: int) -> int:
    return ((1 << (high - low + 1)) - 1) << low


def finite_values(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def smooth(ys: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average, corrected for the bias of its start (Kingma and Ba 2015, section 3).

    weight: of the past in each value, in [0,1); 0 changes nothing. Gaps stay gaps and have no weight.
    """
    if weight <= 0:
        return list(ys)
    weighted_sum, total_weight, smoothed = 0.0, 0.0, []
    for y in ys:
        if math.isfinite(y):
            weighted_sum, total_weight = weight * weighted_sum + (1 - weight) * y, weight * total_weight + (1 - weight)
            smoothed.append(weighted_sum / total_weight)
        else:
            smoothed.append(math.nan)
    return smoothed


def log10(ys: Sequence[float]) -> list[float]:
    """Logarithms to base 10; NaN, a gap, for values that have no logarithm."""
    return [math.log10(y) if y > 0 else math.nan for y in ys]


def nice_step(minimum: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least `minimum`; 0 if `minimum` is not positive."""
    if not 0 < minimum < math.inf:
        return 0.0
    power = 10.0 ** math.floor(math.log10(minimum))
    return next((size * power for size in (1, 2, 5) if size * power >= minimum * (1 - 1e-9)), 10 * power)


def labels(values: Sequence[float], percent: bool = False) -> list[str]:
    """Labels of ticks, with enough decimals to tell neighbours apart: `0.10`, `40%`, `1e-05`.

    percent: `values` are fractions in [0,1], labelled in per cent.
    """
    shown = [100 * value if percent else value for value in values]
    step = min((after - before for before, after in pairwise(shown)), default=max(map(abs, shown), default=0.0))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if 0 < step < math.inf else 0
    plain = decimals <= 4 and max(map(abs, shown), default=0.0) < 1e5
    texts = [f"{value:.{decimals}f}" if plain else f"{value:.3g}" for value in shown]
    return [f"{text}%" if percent else text for text in texts]


def time_unit(seconds: float) -> tuple[float, str]:
    """The unit in which to label a duration: its length in seconds, and its name."""
    for limit, size, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return size, name
    return 86_400, "d"


def work_unit(flops: float) -> tuple[float, str]:
    """The unit in which to label an amount of work: its size in floating-point operations, and its name."""
    for size, name in ((1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP")):
        if flops >= size:
            return size, name
    return 1.0, "FLOP"
