"""Lists whose cursor stays at the first and the last entry, in place of going around."""

from textual.widgets import OptionList, SelectionList


class PlainList(OptionList):
    """An option list whose cursor stays at its ends."""

    def action_cursor_up(self) -> None:
        if self.highlighted != 0:
            super().action_cursor_up()

    def action_cursor_down(self) -> None:
        if self.highlighted is None or self.highlighted < self.option_count - 1:
            super().action_cursor_down()


class PlainSelectionList(PlainList, SelectionList[str]):
    """A selection list whose cursor stays at its ends."""
