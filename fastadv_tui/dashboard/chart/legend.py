"""The legend of a chart: markers, names and values of the curves, at the cursor or at the last point."""

import math
from bisect import bisect_left
from collections.abc import Sequence

from rich.cells import cell_len

from fastadv_tui.dashboard.chart.series import FAINT, MARK, TEXT, THRESHOLD, Curve, Options, Row, x_unit
from fastadv_tui.text.quantities import format_percent
from fastadv_tui.text.sanitize import one_line


def legend(curves: Sequence[Curve], options: Options, width: int, max_rows: int, cursor: float | None) -> list[Row]:
    """Markers, names and values in at most `max_rows` rows of `width` cells; names are shortened if need be.

    The values are those at x = `cursor`, or the last ones if `cursor` is None.
    """
    ordered = sorted(curves, key=lambda curve: curve.look >= FAINT)
    for with_x, name_width in ((True, width), (True, 24), (False, 24), (False, 16), (False, 10), (False, 0)):
        head = _x_item(ordered, options, cursor) if with_x else []
        rows = _wrapped(head + _items(ordered, options, name_width, cursor), width)
        if len(rows) <= max_rows:
            break
    return rows if len(rows) <= max_rows else [*rows[: max_rows - 1], [*rows[max_rows - 1], (" …", TEXT)]]


def _x_item(curves: Sequence[Curve], options: Options, cursor: float | None) -> Row:
    x = max(curve.xs[-1] for curve in curves) if cursor is None else cursor
    unit, name = x_unit(options, x)
    return [(f"{name} {x:.2f}" if options.x == "epoch" else f"{x / unit:.1f} {name}", TEXT)]


def _items(curves: Sequence[Curve], options: Options, name_width: int, cursor: float | None) -> Row:
    items = []
    for curve in curves:
        value = curve.last if cursor is None else value_at(curve, cursor)
        text = format_percent(value) if options.y == "percent" else "-" if value is None else f"{value:.4g}"
        items.append((" ".join(filter(None, (curve.marker, shortened(curve.name, name_width), text))), curve.look))
    if options.threshold is not None:
        items.append((f"╌ {shortened(one_line(options.threshold.label), name_width)}", THRESHOLD))
    marks = dict.fromkeys(f"{mark.glyph} {shortened(one_line(mark.label), name_width)}" for mark in options.marks)
    return items + [(text, MARK) for text in marks]


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


def shortened(name: str, width: int) -> str:
    """A name of at most `width` characters. Names of runs differ at both ends, so the middle is left out."""
    if len(name) <= width or width < 3:
        return name[:width]
    return f"{name[: width // 2]}…{name[len(name) - (width - 1) // 2 :]}"


def value_at(curve: Curve, x: float) -> float | None:
    """The value of the point nearest to `x`; None if that point is a gap, or `x` lies outside the curve."""
    after = min(bisect_left(curve.xs, x), len(curve.xs) - 1)
    if not curve.xs[0] <= x <= curve.xs[-1]:
        return None
    near = after - 1 if after and x - curve.xs[after - 1] < curve.xs[after] - x else after
    return curve.values[near] if math.isfinite(curve.drawn[near]) else None
