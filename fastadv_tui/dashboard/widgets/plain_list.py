"""Lists whose cursor stays at the first and the last entry, in place of going around."""

from rich.segment import Segment
from textual.strip import Strip
from textual.widgets import OptionList, SelectionList


class PlainList(OptionList):
    """An option list whose cursor stays at its ends."""

    def action_cursor_up(self) -> None:
        if not _is_first(self):
            super().action_cursor_up()

    def action_cursor_down(self) -> None:
        if not _is_last(self):
            super().action_cursor_down()


class PlainSelectionList(SelectionList[str]):
    """A selection list whose cursor stays at its ends. (Textual takes the styles of one base class only.)"""

    def action_cursor_up(self) -> None:
        if not _is_first(self):
            super().action_cursor_up()

    def action_cursor_down(self) -> None:
        if not _is_last(self):
            super().action_cursor_down()

    def render_line(self, y: int) -> Strip:
        """A line whose box is empty if the entry is not ticked: Textual tells that by the colour alone."""
        line, place = super().render_line(y), self.scroll_offset.y + y
        if place >= self.option_count or self.get_option_at_index(place).value in self.selected:
            return line
        left, tick, *rest = line
        return Strip([left, Segment(" " * tick.cell_length, tick.style), *rest])


def _is_first(options: OptionList) -> bool:
    return options.highlighted == 0


def _is_last(options: OptionList) -> bool:
    return options.highlighted == options.option_count - 1
