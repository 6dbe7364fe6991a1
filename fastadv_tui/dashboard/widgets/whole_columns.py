"""A table that shows a column whole or not at all. Of a number that is cut off, the rest reads as another number."""

from collections.abc import Iterator
from itertools import accumulate

from rich.segment import Segment
from rich.text import Text
from textual.strip import Strip
from textual.widgets import DataTable


class WholeColumnsTable(DataTable[Text]):
    """The arrow keys scroll by a column. A column that has no room at all is cut: there is no other way.

    sticky: the number of columns that stay at the left while the others scroll.
    """

    sticky = 1

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        for start, end in self._cut():
            middle = [Segment(" " * piece.cell_length, piece.style) for piece in strip.crop(start, end)]
            strip = Strip.join([strip.crop(0, start), Strip(middle), strip.crop(end)])
        return strip

    def action_cursor_right(self) -> None:
        self._go_to(next((x for x in self._offsets() if x > self.scroll_x), self.max_scroll_x))

    def action_cursor_left(self) -> None:
        self._go_to(max((x for x in self._offsets() if x < self.scroll_x), default=0))

    def _go_to(self, x: float) -> None:
        self.scroll_to(x=x, animate=False)

    def _widths(self) -> list[int]:
        return [column.get_render_width(self) for column in self.ordered_columns]

    def _offsets(self) -> list[int]:
        """Where the table is scrolled to when a column stands beside the sticky ones."""
        return [0, *accumulate(self._widths()[self.sticky :])]

    def _cut(self) -> Iterator[tuple[int, int]]:
        """The cells, from one to another, in which only a part of a column is seen."""
        widths, right = self._widths(), self.size.width
        left = sum(widths[: self.fixed_columns])
        ends = [end - int(self.scroll_x) for end in accumulate(widths)]
        room = right - sum(widths[: self.sticky])
        for end, width in [*zip(ends, widths, strict=True)][self.fixed_columns :]:
            start = end - width
            if width > room:
                continue
            if start < left < end:
                yield left, min(end, right)
            elif left < start < right < end:
                yield start, right
