"""The chart widget: curves with axes, a legend, and a cursor at which the legend reads values."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from fastadv_tui.dashboard.chart.looks import style_of
from fastadv_tui.dashboard.chart.plot import Drawing, draw
from fastadv_tui.dashboard.chart.scale import DOTS_WIDE
from fastadv_tui.dashboard.chart.series import Curve, Options, Row, Series, prepare
from fastadv_tui.dashboard.colours import scheme_of


class Chart(Widget, can_focus=True):
    """Draws `series` as `options` say. Setting either repaints only this widget, at the next paint of the app."""

    DEFAULT_CSS = """
    Chart { width: 1fr; height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Cursor left", id="chart.left", show=False),
        Binding("right", "move(1)", "Cursor right", id="chart.right", show=False),
        Binding("home", "jump(0)", "First point", id="chart.first", show=False),
        Binding("end", "jump(-1)", "Last point", id="chart.last", show=False),
        Binding("escape", "clear", "Remove the cursor", id="chart.clear", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._series: Sequence[Series] = ()
        self._options = Options()
        self._cursor: float | None = None
        self._curves: list[Curve] | None = None  # prepared from series and options; None when outdated
        self._drawing: Drawing | None = None
        self._drawn_size = Size(0, 0)
        self._styles_by_look: dict[int, Style] = {}

    @property
    def series(self) -> Sequence[Series]:
        return self._series

    @series.setter
    def series(self, series: Sequence[Series]) -> None:
        self._series, self._curves = series, None
        self._redraw()

    @property
    def options(self) -> Options:
        return self._options

    @options.setter
    def options(self, options: Options) -> None:
        if options != self._options:
            self._options, self._curves = options, None
            self._redraw()

    @property
    def cursor(self) -> float | None:
        """The x at which the legend reads values, in the unit of the data; None without a cursor."""
        return self._cursor

    @cursor.setter
    def cursor(self, x: float | None) -> None:
        if x != self._cursor:
            self._cursor = x
            self._redraw()

    @property
    def has_points(self) -> bool:
        """Whether a curve has a point, so that a cursor can stand on the chart."""
        return any(curve.xs for curve in self._prepared_curves())

    def render_line(self, y: int) -> Strip:
        rows = self._current_drawing().rows
        if y >= len(rows):
            return Strip.blank(self.size.width, self.rich_style)
        return self._strip(rows[y])

    def _current_drawing(self) -> Drawing:
        size = self.content_size  # compared here, since a resize may be painted before its event arrives
        if self._drawing is None or size != self._drawn_size:
            self._drawn_size = size
            self._drawing = draw(self._prepared_curves(), self._options, size.width, size.height, self._cursor)
        return self._drawing

    def _prepared_curves(self) -> list[Curve]:
        if self._curves is None:
            self._curves = prepare(self._series, self._options)
        return self._curves

    def _strip(self, row: Row) -> Strip:
        """A row as a strip. Neighbouring cells with the same look become one segment."""
        groups = groupby(row, key=itemgetter(1))
        segments = [Segment("".join(text for text, _ in cells), self._style(look)) for look, cells in groups]
        return Strip(segments).adjust_cell_length(self.content_size.width, self.rich_style)

    def _style(self, look: int) -> Style:
        if look not in self._styles_by_look:
            self._styles_by_look[look] = style_of(look, scheme_of(self.app), self.visual_style)
        return self._styles_by_look[look]

    def _redraw(self) -> None:
        self._drawing = None
        self.refresh()

    def notify_style_update(self) -> None:
        self._styles_by_look = {}
        super().notify_style_update()

    def on_resize(self, event: Resize) -> None:
        self._redraw()

    def on_click(self, event: Click) -> None:
        drawing, offset = self._current_drawing(), event.get_content_offset(self)
        if drawing.x is not None and offset is not None:
            self.cursor = self._nearest(drawing.x.scale.value(DOTS_WIDE * (offset.x - drawing.left)))

    def action_move(self, by: int) -> None:
        """Move the cursor to the next point in another column of characters, so that each key press has an effect."""
        x, points = self._current_drawing().x, self._points()
        if x is None or self._cursor is None:
            self.action_jump(-1)
            return
        columns = [x.scale.dot(point) // DOTS_WIDE for point in points]
        here = x.scale.dot(self._cursor) // DOTS_WIDE
        index = bisect_right(columns, here) if by > 0 else bisect_left(columns, here) - 1
        if 0 <= index < len(points):
            self.cursor = points[index]

    def action_jump(self, index: int) -> None:
        points = self._points()
        if points:
            self.cursor = points[index]

    def action_clear(self) -> None:
        self.cursor = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The chart takes the escape key only while it has a cursor to remove."""
        return self._cursor is not None if action == "clear" else True

    def _points(self) -> list[float]:
        """The x of all points of all curves, ascending and each once."""
        return sorted({x for curve in self._prepared_curves() for x in curve.xs})

    def _nearest(self, x: float) -> float | None:
        return min(self._points(), key=lambda point: abs(point - x), default=None)
