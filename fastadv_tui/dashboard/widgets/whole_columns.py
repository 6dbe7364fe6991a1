"""A table that shows a column of numbers whole or not at all: the rest of a number reads as another number.

A column of words is cut at the right edge, with an ellipsis, so that it does not vanish when one word is added.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate

from rich.segment import Segment
from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import DataTable

LEAST_WORDS = 8  # cells of a column of words that must be seen of it


class WholeColumnsTable(DataTable[Text]):
    """The arrow keys scroll by a column. A column that has no room at all is cut: there is no other way.

    sticky: the number of columns that stay at the left while the others scroll. cuttable: keys of columns of words.
    """

    sticky = 1
    cuttable: Collection[str] = ()
    _hidden: Sequence[tuple[int, int]] = ()  # of the present paint, as `_cut`
    _shortened: tuple[int | None, int] = None, 0  # as `_cut_words`

    def render_lines(self, crop: Region) -> list[Strip]:
        """Look once for what the edges cut, and not for each line."""
        self._hidden, self._shortened = [*self._cut()], self._cut_words()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        for start, end in self._hidden:
            middle = [Segment(" " * piece.cell_length, piece.style) for piece in strip.crop(start, end)]
            strip = Strip.join([strip.crop(0, start), Strip(middle), strip.crop(end)])
        return self._with_ellipsis(strip, y)

    def _with_ellipsis(self, strip: Strip, y: int) -> Strip:
        """The line with an ellipsis at its end if the edge of the table cuts the words of a cell."""
        place, room = self._shortened
        if place is None or self._length(place, y) <= room:
            return strip
        last = strip.crop(self.size.width - 1)
        return Strip.join([strip.crop(0, self.size.width - 1), Strip([Segment("…", each.style) for each in last][:1])])

    def _length(self, place: int, y: int) -> int:
        """The width of the cell of a column in a line of the widget, in cells; line 0 is the heading."""
        row = y - self.header_height + int(self.scroll_y)
        if y < self.header_height:
            return self.ordered_columns[place].label.cell_len
        return self.get_row_at(row)[place].cell_len if 0 <= row < self.row_count else 0

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

    def _cut_words(self) -> tuple[int | None, int]:
        """The place of the column of words that the right edge cuts, and how many cells of its words are seen."""
        right = self.size.width
        for place, (start, end) in enumerate(self._spans()):
            if place >= self.fixed_columns and start + LEAST_WORDS <= right < end and self._is_words(place):
                return place, right - start - self.cell_padding
        return None, 0

    def _is_words(self, place: int) -> bool:
        return self.ordered_columns[place].key.value in self.cuttable

    def _spans(self) -> list[tuple[int, int]]:
        """Where each column starts and ends, in cells of the widget."""
        widths = self._widths()
        ends = [end - int(self.scroll_x) for end in accumulate(widths)]
        return [(end - width, end) for end, width in zip(ends, widths, strict=True)]

    def _cut(self) -> Iterator[tuple[int, int]]:
        """The cells, from one to another, in which only a part of a column is seen."""
        right, words = self.size.width, self._cut_words()[0]
        room = right - sum(self._widths()[: self.sticky])
        left = sum(self._widths()[: self.fixed_columns])
        for place, (start, end) in [*enumerate(self._spans())][self.fixed_columns :]:
            if end - start > room:
                continue
            if start < left < end:
                yield left, min(end, right)
            elif left < start < right < end and place != words:
                yield start, right
