"""Lines with a label and a value. A value that is longer than its line goes on below itself, not below the label."""

import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual.widgets import Static

from fastadv_tui.text.sanitize import one_line

MIN_VALUE = 12  # cells of a value; with less room, it goes on below the label
LABEL, MAX_LABEL, MAX_VALUE = 9, 18, 400  # cells of the labels; most characters of a label and of a value


class HangingFacts(Static):
    """Shows labels and values, and wraps them anew when its width changes.

    fixed_size: whether the style sheet gives the size, whatever the text. Then a new text needs no layout of the
    screen, which costs more than all charts.
    """

    fixed_size: ClassVar[bool] = False
    nothing: ClassVar[str] = ""  # what stands where there are no facts

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._facts: Sequence[tuple[str, str]] = ()

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        self._facts = facts
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.scrollable_content_region.width
        lines = [
            hanging(one_line(label, MAX_LABEL), one_line(value, MAX_VALUE), LABEL, width)
            for label, value in self._facts
        ]
        self.update(Text("\n").join(lines) if lines else self.nothing, layout=not self.fixed_size)


def hanging(label: str, value: str, indent: int, width: int) -> Text:
    """A label in `indent` cells and its value in lines of `width` cells. width: 0 if it is unknown."""
    head = f"{label:<{indent - 1}} "
    if len(head) + len(value) <= width or width - indent < MIN_VALUE:
        return Text.assemble((head, "dim"), value)
    room = width - indent
    lines = textwrap.wrap(
        value,
        room,
        initial_indent=" " * (len(head) - indent),  # a label that is too long takes cells of the first line
        break_on_hyphens=False,
    )
    first, *others = lines or [""]
    rest = [Text(" " * indent + line) for line in others]
    return Text("\n").join([Text.assemble((head, "dim"), first[len(head) - indent :]), *rest])
