"""Draws a chart as rows of characters: curves, axes, grid and marks. Needs no terminal."""

from collections.abc import Container, Sequence

from msgspec import Struct
from rich.cells import set_cell_size

from fastadv_tui.dashboard.chart import scale
from fastadv_tui.dashboard.chart.legend import legend
from fastadv_tui.dashboard.chart.scale import BRAILLE, DOTS_HIGH, DOTS_WIDE, LEFT, RIGHT, Scale, Span
from fastadv_tui.dashboard.chart.series import (
    AXIS,
    CURSOR,
    GRID,
    MARK,
    TEXT,
    THRESHOLD,
    Cell,
    Curve,
    Options,
    Row,
    x_unit,
)
from fastadv_tui.text.sanitize import one_line


class Drawing(Struct):
    """rows: from the top. x: the scale of the x axis, if curves are drawn. left: number of columns left of the plot."""

    rows: list[Row]
    x: Scale | None = None
    left: int = 0


def draw(curves: Sequence[Curve], options: Options, width: int, height: int, cursor: float | None = None) -> Drawing:
    """The whole chart in `height` rows of `width` cells. Small charts have no axes or no legend.

    cursor: x at which the legend reads values; None for the last values.
    """
    if not curves or width < 2 or height < 1:
        return Drawing(_empty_chart(options.empty, width, height))
    head = legend(curves, options, width, max(1, height // 6), cursor) if height >= 6 else []
    axes = width >= 20 and height - len(head) >= 5
    rows = height - len(head) - (2 if axes else 0)
    y = _y_scale(curves, options, rows)
    ticks, texts = _y_ticks(y, options, rows)
    left = 1 + max(map(len, texts), default=0) if axes else 0
    x = _x_scale(curves, options, width - left)
    body = _body(curves, options, x, y, ticks, cursor)
    if axes:
        body = _with_y_axis(body, y, ticks, texts, left)
        body += _x_axis(options, x, left, width)
    return Drawing([*head, *body], x, left)


def _empty_chart(text: str, width: int, height: int) -> list[Row]:
    blank: Row = [(" " * width, TEXT)]
    rows = [blank for _ in range(height)]
    if rows:
        rows[(height - 1) // 2] = [(set_cell_size(one_line(text).center(width), width), TEXT)]
    return rows


def _y_scale(curves: Sequence[Curve], options: Options, rows: int) -> Scale:
    limits = [value for curve in curves for value in (curve.low, curve.high)]
    if options.threshold is not None:
        limits += scale.finite_values(scale.log10([options.threshold.y]) if options.log_y else [options.threshold.y])
    if options.y == "percent" and not options.log_y:
        limits.append(0.0)
    low, high = scale.widened_limits(min(limits), max(limits), max(rows // 2, 4))
    if options.y == "percent" and not options.log_y and min(limits) >= 0:
        low = 0.0  # there are no negative fractions, not even around a curve of zeros
    return Scale(low, high, DOTS_HIGH * rows)


def _x_scale(curves: Sequence[Curve], options: Options, columns: int) -> Scale:
    low, high = options.x_range or (min(curve.xs[0] for curve in curves), max(curve.xs[-1] for curve in curves))
    if options.x_range is None and 0 < low < high / 10:
        low = 0.0  # training begins at 0, though its first event comes a little later
    return Scale(low, high if high > low else low + 1, DOTS_WIDE * columns)


def _y_ticks(y: Scale, options: Options, rows: int) -> tuple[list[float], list[str]]:
    most = max(rows // 3, min(rows // 2 + 1, 5))
    if not options.log_y:
        ticks = scale.ticks(y.low, y.high, most)
        return ticks, scale.labels(ticks, options.y == "percent")
    ticks = scale.log_ticks(y.low, y.high, most)
    return ticks, [scale.labels([10**tick], options.y == "percent")[0] for tick in ticks]


def _body(
    curves: Sequence[Curve], options: Options, x: Scale, y: Scale, ticks: list[float], cursor: float | None
) -> list[Row]:
    """The plot inside the axes: background, curves, end markers and cursor."""
    rows = _background(options, x, y, ticks)
    dots = [[0] * (x.dots // DOTS_WIDE) for _ in rows]
    ends: dict[tuple[int, int], Cell] = {}
    for curve in curves:
        pieces = scale.decimate(curve.xs, curve.drawn, x)
        columns = scale.columns_of_dots(pieces, y)
        _put_dots(columns, curve.look, dots, rows)
        ends |= _end_marker(pieces, y, ends, curve)
    for (row, column), end in ends.items():
        rows[-1 - row][column] = end
    if cursor is not None and x.low <= cursor <= x.high:
        _put_cursor(rows, x.dot(cursor) // DOTS_WIDE)
    return rows


def _background(options: Options, x: Scale, y: Scale, ticks: list[float]) -> list[Row]:
    width = x.dots // DOTS_WIDE
    rows = [[(" ", GRID)] * width for _ in range(y.dots // DOTS_HIGH)]
    for tick in ticks:
        rows[-1 - y.dot(tick) // DOTS_HIGH] = [("┈", GRID)] * width
    for mark in options.marks:
        if x.low <= mark.x <= x.high:
            for row in rows:
                row[x.dot(mark.x) // DOTS_WIDE] = ("┊", MARK)
    if options.threshold is not None:
        heights = scale.log10([options.threshold.y]) if options.log_y else [options.threshold.y]
        for height in scale.finite_values(heights):
            rows[-1 - y.dot(height) // DOTS_HIGH] = [("╌", THRESHOLD)] * width
    return rows


def _put_dots(columns: dict[int, int], look: int, dots: list[list[int]], rows: list[Row]) -> None:
    """Draw one curve. A character that curves share has the dots of all of them, and the look of the last curve."""
    for column, bits in columns.items():
        place, side = divmod(column, DOTS_WIDE)
        parts = RIGHT if side else LEFT
        lowest, highest = (bits & -bits).bit_length() - 1, bits.bit_length() - 1
        for row in range(lowest // DOTS_HIGH, highest // DOTS_HIGH + 1):
            part = bits >> DOTS_HIGH * row & 0b1111
            if part:
                dots[-1 - row][place] |= parts[part]
                rows[-1 - row][place] = (chr(BRAILLE + dots[-1 - row][place]), look)


def _end_marker(
    pieces: list[list[Span]], y: Scale, taken: Container[tuple[int, int]], curve: Curve
) -> dict[tuple[int, int], Cell]:
    """The marker of a curve at its last point, or at the last point before it whose character has no marker yet."""
    spans = [span for piece in pieces for span in piece]
    places = [(y.dot(span.last) // DOTS_HIGH, span.column // DOTS_WIDE) for span in reversed(spans)]
    free = next((place for place in places if place not in taken), None)
    return {free: (curve.marker, curve.look)} if free is not None else {}


def _put_cursor(rows: list[Row], column: int) -> None:
    for row in rows:
        character, look = row[column]
        row[column] = ("│", AXIS + CURSOR) if look == GRID else (character, look + CURSOR)


def _with_y_axis(body: list[Row], y: Scale, ticks: list[float], texts: list[str], left: int) -> list[Row]:
    named = dict(zip((len(body) - 1 - y.dot(tick) // DOTS_HIGH for tick in ticks), texts, strict=True))
    rows = []
    for number, row in enumerate(body):
        label = named.get(number, "").rjust(left - 1)
        rows.append([*((character, TEXT) for character in label), ("┤" if number in named else "│", AXIS), *row])
    return rows


def _x_axis(options: Options, x: Scale, left: int, width: int) -> list[Row]:
    """Two rows: the axis with ticks and marks, and the labels below; the last label has the unit."""
    unit, name = x_unit(options, x.high - x.low)
    ticks = scale.ticks(x.low / unit, x.high / unit, max((width - left) // 8, 3))
    columns = [x.dot(tick * unit) // DOTS_WIDE for tick in ticks]
    axis, under = [("─", AXIS)] * (width - left), [" "] * width
    texts = scale.labels(ticks)
    texts[-1:] = [f"{text} {name}" for text in texts[-1:]]
    for column, text in reversed(list(zip(columns, texts, strict=True))):
        axis[column] = ("┬", AXIS)
        _put_label(under, text, left + column - (len(text.split()[0]) - 1) // 2)
    for mark in options.marks:
        if x.low <= mark.x <= x.high:
            axis[x.dot(mark.x) // DOTS_WIDE] = (mark.glyph, MARK)
    return [[(" ", AXIS)] * (left - 1) + [("└", AXIS)] + axis, [(character, TEXT) for character in under]]


def _put_label(under: list[str], text: str, start: int) -> None:
    """Write a label if a blank stays on each side; a label beyond the border is moved inwards."""
    start = max(min(start, len(under) - len(text)), 0)
    if not "".join(under[max(start - 1, 0) : start + len(text) + 1]).strip():
        under[start : start + len(text)] = text
