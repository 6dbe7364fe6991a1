"""The legend of a chart: one item for each run, with its glyph, its name and its values."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import groupby

from rich.cells import cell_len

from fastadv_tui.dashboard.chart.series import REST, TEXT, Curve, Options, Row, x_unit
from fastadv_tui.text.labels import shortened_apart
from fastadv_tui.text.sanitize import one_line

SOLID, DOTTED = "─", "┄"  # stand for the lines of the clean and of the robust accuracy
NAME_WIDTHS = (200, 32, 24, 16, 10)  # of a name in cells, the widest that fits is taken


def accuracy_pair(attack: str) -> str:
    """What the two accuracies of a run are, each with its kind of line: `clean ─ / PGD-10 ┄`.

    attack: the name of that of the robust one; empty if the runs have several.
    """
    return f"clean {SOLID} / {attack or 'robust'} {DOTTED}"


def legend(curves: Sequence[Curve], options: Options, width: int, max_rows: int, cursor: float | None) -> list[Row]:
    """Glyphs, names and values in at most `max_rows` rows of `width` cells; names are shortened if need be.

    The values are those at x = `cursor`, or the last ones if `cursor` is None. Grey runs are only counted.
    """
    span = options.x_range[1] if options.x_range else max(curve.xs[-1] for curve in curves)
    head = _head(options, cursor, span)
    for name_width in NAME_WIDTHS:
        items = _items(curves, options, name_width, cursor, span)
        rows = _wrapped(head + items, width)
        if len(rows) <= max_rows:
            return rows
    return _cut(head, items, width, max_rows)


def _head(options: Options, cursor: float | None, end: float) -> Row:
    """The place of the cursor, and what the values of a run are."""
    place = "" if cursor is None else x_text(options, cursor, end)
    return [(text, TEXT) for text in (place, one_line(options.pair)) if text]


def x_text(options: Options, x: float, span: float) -> str:
    """A place on the x axis: `epoch 3.00`, `12.5 min`. span: length of the axis, which decides the unit."""
    unit, name = x_unit(options, span)
    return f"epoch {x:.4g}" if options.x == "epoch" else f"{x / unit:.4g} {name}"


def _items(curves: Sequence[Curve], options: Options, name_width: int, cursor: float | None, span: float) -> Row:
    """One item for each run. The runs beyond the last colour are counted in one item."""
    items, rest = [], 0
    names = [*dict.fromkeys(curve.name for curve in curves)]
    shown = dict(zip(names, shortened_apart(names, name_width), strict=True))
    for (look, glyph, name), of_run in groupby(curves, key=_run):
        found = list(of_run)
        if look >= REST:
            rest += 1
            continue
        values = " / ".join(_value(curve, options, cursor) for curve in found if not curve.series.points)
        ended = cursor is not None and all(curve.xs[-1] < cursor for curve in found)
        last = max(curve.xs[-1] for curve in found)
        text = f"ended at {x_text(options, last, span)}" if ended else values
        if text:
            items.append((" ".join(filter(None, (glyph, shown[name], text))), look))
    return [*items, *([(f"▪ {rest} more", REST)] if rest else [])]


def _run(curve: Curve) -> tuple[int, str, str]:
    return curve.look, curve.series.glyph, curve.name


def _value(curve: Curve, options: Options, cursor: float | None) -> str:
    return value_text(curve.last if cursor is None else value_at(curve, cursor), options)


def value_text(value: float | None, options: Options) -> str:
    """A value as the legend and the end of a line show it. Of percentages, the axis shows the unit."""
    if value is None:
        return "-"
    return f"{100 * value:.1f}" if options.y == "percent" else f"{value:.4g}"


def _wrapped(items: Row, width: int) -> list[Row]:
    """Put the items into rows of at most `width` cells, with two blanks between them."""
    rows: list[Row] = [[]]
    used = 0
    for text, look in items:
        if rows[-1] and used + 2 + cell_len(text) > width:
            rows.append([])
        used = cell_len(text) + (used + 2 if rows[-1] else 0)
        rows[-1].append((f"  {text}" if rows[-1] else text, look))
    return rows


def _cut(head: Row, items: Row, width: int, max_rows: int) -> list[Row]:
    """As many items as fit, and the number of those left out."""
    for shown in range(len(items) - 1, 0, -1):
        rows = _wrapped([*head, *items[:shown], (f"+ {len(items) - shown} more", TEXT)], width)
        if len(rows) <= max_rows:
            return rows
    return _wrapped(head + items, width)[:max_rows]


def value_at(curve: Curve, x: float) -> float | None:
    """The value of the point nearest to `x`; None if that point is a gap, or `x` lies outside the curve."""
    after = min(bisect_left(curve.xs, x), len(curve.xs) - 1)
    if not curve.xs[0] <= x <= curve.xs[-1]:
        return None
    near = after - 1 if after and x - curve.xs[after - 1] < curve.xs[after] - x else after
    return curve.values[near] if math.isfinite(curve.drawn[near]) else None
