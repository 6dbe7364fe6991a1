"""Draws a chart as rows of characters: axes, legend, and the canvas with the curves. Needs no terminal."""

import textwrap
from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len, set_cell_size

from fastadv_tui.dashboard.chart import scale
from fastadv_tui.dashboard.chart.axis import Axis, log_axis, x_axis, y_axis
from fastadv_tui.dashboard.chart.canvas import Canvas
from fastadv_tui.dashboard.chart.legend import legend, value_text
from fastadv_tui.dashboard.chart.scale import DOTS_HIGH, DOTS_WIDE
from fastadv_tui.dashboard.chart.series import AXIS, LINE, MARK, TEXT, Curve, Options, Row, x_unit
from fastadv_tui.text.sanitize import one_line

MAX_GUTTER = 8  # cells at the right that are kept free for the values at the ends of the lines; more in a wide plot
MIN_PLOT = 24  # a narrower plot keeps no cells free for values
HALF_LABEL = 2  # cells of the last tick's label at the right of its tick
FEWEST_LABELS = 2  # of the x axis: with fewer, nobody could read its scale


class Drawing(Struct):
    """rows: from the top. x, y: the axes, if curves are drawn. left: number of columns left of the plot.

    top: number of rows above the plot.
    """

    rows: list[Row]
    x: Axis | None = None
    y: Axis | None = None
    left: int = 0
    top: int = 0


def draw(curves: Sequence[Curve], options: Options, width: int, height: int, cursor: float | None = None) -> Drawing:
    """The whole chart in `height` rows of `width` cells. Small charts have no axes or no legend.

    cursor: x at which the legend reads values; None for the last values.
    """
    if not curves or width < 2 or height < 1:
        return Drawing(_empty_chart(options.empty, width, height))
    head = legend(curves, options, width, max(1, height // 5), cursor) if height >= 6 else []
    framed = width >= 20 and height - len(head) >= 5
    rows = height - len(head) - (2 if framed else 0)
    y = _y_axis(curves, options, rows)
    left = 1 + max(map(len, y.texts), default=0) if framed else 0
    x, unit = _x_axis(curves, options, width - left)
    canvas = Canvas(x.scale, y.scale)
    _paint(canvas, curves, options, y, cursor)
    body = canvas.rows
    if framed:
        body = _with_y_axis(body, y, left) + _under(options, x, unit, left, width)
    return Drawing([*head, *body], x, y, left, len(head))


def _empty_chart(text: str, width: int, height: int) -> list[Row]:
    blank: Row = [(" " * width, TEXT)]
    rows = [blank for _ in range(height)]
    lines = textwrap.wrap(one_line(text), max(width, 1))[:height]
    for number, line in enumerate(lines, (height - len(lines)) // 2):
        rows[number] = [(set_cell_size(line.center(width), width), TEXT)]
    return rows


def _y_axis(curves: Sequence[Curve], options: Options, rows: int) -> Axis:
    limits = [value for curve in curves for value in (curve.low, curve.high)] + _threshold(options)
    percent = options.y == "percent"
    if options.log_y:
        return log_axis(min(limits), max(limits), rows, percent)
    if percent:
        limits.append(0.0)
    return y_axis(min(limits), max(limits), rows, percent)


def _threshold(options: Options) -> list[float]:
    """The place of the threshold on the y axis, if the axis has one."""
    if options.threshold is None:
        return []
    return scale.finite_values(scale.log10([options.threshold.y]) if options.log_y else [options.threshold.y])


def _x_axis(curves: Sequence[Curve], options: Options, columns: int) -> tuple[Axis, str]:
    """The x axis, and the name of its unit."""
    low, high = min(curve.xs[0] for curve in curves), max(curve.xs[-1] for curve in curves)
    if options.x_range is not None:
        low, high = options.x_range
    elif 0 < low < high / 10 or (low > 0 and options.x in ("time", "work")):
        low = 0.0  # training begins at 0, though its first event comes later
    unit, name = x_unit(options, high - low)
    most = max(MAX_GUTTER, columns // 4)
    at_end = [_end_texts(curve, options) for curve in curves if curve.xs[curve.end] > 0.9 * high]
    ends = [next((end for text in texts if (end := cell_len(text) + 1) <= most), 0) for texts in at_end]
    gutter = max(ends, default=0) if columns > MIN_PLOT else 0
    for_unit = 0 if options.x == "epoch" else len(name) + 1 + HALF_LABEL  # an epoch is known without its unit
    return x_axis(low, high, columns, max(gutter, for_unit), unit), name


def _end_texts(curve: Curve, options: Options) -> list[str]:
    """The texts for the end of a line, of which the first one with room is written: with its tag, or without.

    The last value, with the sign of a point before it, as the legend has it, and the glyph of a marked run behind it.
    """
    series = curve.series
    glyph = "" if series.glyph == LINE else series.glyph
    shorter = [""] if series.tag else []
    return [
        " ".join(filter(None, (series.sign, value_text(curve.last, options), one_line(tag), glyph)))
        for tag in (series.tag, *shorter)
    ]


def _paint(canvas: Canvas, curves: Sequence[Curve], options: Options, y: Axis, cursor: float | None) -> None:
    canvas.grid(y.ticks)
    for mark in options.marks:
        canvas.vertical(mark.x)
    for height in _threshold(options):
        canvas.threshold(height)
    for curve in reversed(curves):
        canvas.band(curve)
    numbered = list(enumerate(curves))
    for number, curve in reversed(numbered):
        canvas.curve(curve, number)
    # points first, whose values the legend has not; then so that labels have the order of values
    for number, curve in sorted(numbered, key=lambda each: (not each[1].series.points, -each[1].drawn[each[1].end])):
        canvas.label(curve.xs[curve.end], curve.drawn[curve.end], _end_texts(curve, options), curve.look, number)
    if options.threshold is not None:
        for height in _threshold(options):
            canvas.label_threshold(height, one_line(options.threshold.label))
    if cursor is not None:
        canvas.cursor(cursor)


def _with_y_axis(body: list[Row], y: Axis, left: int) -> list[Row]:
    rows_of_ticks = [len(body) - 1 - y.scale.dot(tick) // DOTS_HIGH for tick in y.ticks]
    named = dict(zip(rows_of_ticks, y.texts, strict=True))
    rows = []
    for number, row in enumerate(body):
        label = named.get(number, "").rjust(left - 1)
        rows.append([*((character, TEXT) for character in label), ("┤" if number in named else "│", AXIS), *row])
    return rows


def _under(options: Options, x: Axis, unit: str, left: int, width: int) -> list[Row]:
    """Two rows: the axis with ticks and the glyphs of marks; the labels, with the unit behind the last one.

    Where the unit has no room behind the label of the last tick, it stands in its place.
    """
    columns = [x.scale.dot(tick) // DOTS_WIDE for tick in x.ticks]
    axis = [("─", AXIS)] * (width - left)
    for column in columns:
        axis[column] = ("┬", AXIS)
    labels = [(text, left + column - (len(text) - 1) // 2) for column, text in zip(columns, x.texts, strict=True)]
    under = _labelled(labels, unit, width)
    if options.x != "epoch" and unit not in "".join(under) and len(labels) > FEWEST_LABELS:
        under = _labelled(labels[:-1], unit, width)
    for mark in options.marks:
        if x.scale.low <= mark.x <= x.scale.high:
            axis[x.scale.dot(mark.x) // DOTS_WIDE] = (mark.glyph, MARK)
    return [[(" ", AXIS)] * (left - 1) + [("└", AXIS)] + axis, [(character, TEXT) for character in under]]


def _labelled(labels: Sequence[tuple[str, int]], unit: str, width: int) -> list[str]:
    """The characters of a row with labels at their places, and the unit behind them if it has room."""
    under = [" "] * width
    for text, start in labels:
        _put_label(under, text, start)
    end = len("".join(under).rstrip()) + 1
    if end + len(unit) <= width:
        _put_label(under, unit, end)
    return under


def _put_label(under: list[str], text: str, start: int) -> None:
    """Write a label if its place is free; a label beyond the border is moved inwards."""
    start = max(min(start, len(under) - len(text)), 0)
    if not "".join(under[start : start + len(text)]).strip():
        under[start : start + len(text)] = text
