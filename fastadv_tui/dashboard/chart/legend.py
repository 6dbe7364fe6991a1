"""The head of a chart: markers, names and values of its curves, at the cursor or the last ones."""

import math
from bisect import bisect_left
from collections.abc import Sequence

from rich.cells import cell_len

from fastadv_tui.dashboard.chart.series import FAINT, MARK, TEXT, THRESHOLD, Curve, Options, Row, x_unit
from fastadv_tui.text.quantities import format_percent
from fastadv_tui.text.sanitize import one_line


def legend(ready: Sequence[Curve], options: Options, width: int, most: int, cursor: float | None) -> list[Row]:
    """Names, markers and values in at most `most` rows: those at the cursor, or the last ones without it."""
    first = sorted(ready, key=lambda curve: curve.look >= FAINT)
    for where, room in ((True, width), (True, 24), (False, 24), (False, 16), (False, 10), (False, 0)):
        head = _where(first, options, cursor) if where else []
        rows = _packed(head + _items(first, options, room, cursor), width)
        if len(rows) <= most:
            break
    return rows if len(rows) <= most else [*rows[: most - 1], [*rows[most - 1], (" …", TEXT)]]


def _where(ready: Sequence[Curve], options: Options, cursor: float | None) -> Row:
    x = max(curve.xs[-1] for curve in ready) if cursor is None else cursor
    unit, name = x_unit(options, x)
    return [(f"{name} {x:.2f}" if options.x == "epoch" else f"{x / unit:.1f} {name}", TEXT)]


def _items(ready: Sequence[Curve], options: Options, room: int, cursor: float | None) -> Row:
    items = []
    for curve in ready:
        value = curve.last if cursor is None else value_at(curve, cursor)
        text = format_percent(value) if options.y == "percent" else "-" if value is None else f"{value:.4g}"
        items.append((" ".join(filter(None, (curve.marker, shortened(curve.name, room), text))), curve.look))
    if options.threshold is not None:
        items.append((f"╌ {shortened(one_line(options.threshold.label), room)}", THRESHOLD))
    marks = dict.fromkeys(f"{mark.glyph} {shortened(one_line(mark.label), room)}" for mark in options.marks)
    return items + [(text, MARK) for text in marks]


def _packed(items: Row, width: int) -> list[Row]:
    """Rows of items that are two blanks apart."""
    rows: list[Row] = [[]]
    used = 0
    for text, look in items:
        if rows[-1] and used + 2 + cell_len(text) > width:
            rows.append([])
        used = cell_len(text) + (used + 2 if rows[-1] else 0)
        rows[-1].append((f"  {text}" if rows[-1] else text, look))
    return rows


def shortened(name: str, room: int) -> str:
    """A name of at most `room` characters; names of runs differ at both ends, so the middle goes."""
    if len(name) <= room or room < 3:
        return name[:room]
    return f"{name[: room // 2]}…{name[len(name) - (room - 1) // 2 :]}"


def value_at(curve: Curve, x: float) -> float | None:
    """The value of the point nearest to x; None in a gap or before the first or after the last point."""
    after = min(bisect_left(curve.xs, x), len(curve.xs) - 1)
    if not curve.xs[0] <= x <= curve.xs[-1]:
        return None
    near = after - 1 if after and x - curve.xs[after - 1] < curve.xs[after] - x else after
    return curve.read[near] if math.isfinite(curve.drawn[near]) else None
