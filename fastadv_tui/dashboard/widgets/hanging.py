"""Lines with a label and a value. A value that is longer than its line goes on below itself, not below the label."""

import textwrap

from rich.text import Text

MIN_VALUE = 12  # cells of a value; with less room, it goes on below the label


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
