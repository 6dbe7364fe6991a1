"""The table of a comparison. Runs are columns if these fit the width; otherwise runs are rows."""

import string
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from fastadv_tui.dashboard.colours import run_colour, scheme_of
from fastadv_tui.dashboard.marks import glyph_at
from fastadv_tui.dashboard.widgets.table_paint import paint_again_when_measured
from fastadv_tui.dashboard.widgets.whole_columns import WholeColumnsTable
from fastadv_tui.history.comparison_table import Cell, Line, Table, accuracies_first
from fastadv_tui.text.sanitize import one_line

MAX_CELL = 32  # characters of a word in a cell
NOTHING = "-"
PADDING = 2  # of Textual's cells, both sides together
OMITTED = ("name",)  # lines that the headings say already


class ComparisonView(WholeColumnsTable):
    """Scrolls by the arrow keys; its first column stays. Cells that cannot be compared are dim, and say why.

    Where the reasons would make the table wider than the screen, a letter in the cell stands for each reason.
    reasons: the letters, each with its reason; empty if the cells have the words.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(cursor_type="none", show_cursor=False, fixed_columns=1, **options)
        self.reasons: dict[str, str] = {}
        self._compared: Table | None = None
        self._places: Sequence[int] = ()
        self._width = 0

    def show(self, table: Table, places: Sequence[int], width: int) -> bool:
        """Fill the table. places: the number of the colour of each column. width: in characters.

        Returns: whether runs are rows, because they do not fit side by side.
        """
        self._compared, self._places = table, places
        heads = [self._head(place) for place in range(len(table.columns))]
        by_columns = self._runs_as_columns(table)
        as_rows = len(table.columns) > 1 and _width_of([["", *heads], *by_columns]) > width
        self.clear(columns=True)
        self.reasons = {}
        lines = [[Text(""), *heads], *by_columns]
        if as_rows and _width_of(lines := self._runs_as_rows(table, heads)) > width:
            self.reasons = _reasons(table)
            lines = self._runs_as_rows(table, heads)
        self.header_height = _height(lines[0])
        self.add_columns(*lines[0])
        for cells in lines[1:]:
            self.add_row(*cells, height=_height(cells))
        paint_again_when_measured(self)
        return as_rows

    def _head(self, place: int) -> Text:
        """The name of a column with the flag of the pinned run, and the glyph and colour of its curve."""
        assert self._compared is not None
        column, number = self._compared.columns[place], self._places[place]
        flag = "⚑ " * (self._compared.pinned and place == self._compared.baseline)
        text = f"{flag}{glyph_at(number)} {one_line(column.name, MAX_CELL)}"
        return Text(text, run_colour(number, scheme_of(self.app)))

    def _runs_as_columns(self, table: Table) -> list[list[Text]]:
        results = [_line(line) for line in _telling(table.results)]
        settings = [_line(line) for line in table.settings]
        empty = [Text("") for _ in table.columns[1:]]
        what = "differ" if len(table.columns) > 1 else "changed\nfrom the preset"  # one line would be cut
        said = Text(f"{len(settings)} of {table.known_settings} {what}", "dim")
        return [*results, [Text("other settings", "dim"), said, *empty], *settings]

    def _runs_as_rows(self, table: Table, heads: Sequence[Text]) -> list[list[Text]]:
        """A row for each run. Lines that are the same for all runs are left out: `shared_text` has them."""
        lines = accuracies_first([*_telling(table.results), *table.settings])
        lines = [line for line in lines if not _shared(line)]
        titles = [Text(""), *(Text(_title(label)) for label, _ in lines)]
        letters = {reason: letter for letter, reason in self.reasons.items()}
        rows = zip(heads, *([_text(cell, letters) for cell in cells] for _, cells in lines), strict=True)
        return [titles, *([*row] for row in rows)]


def shared_text(table: Table) -> str:
    """What all runs share, on one line: `all runs: status done · epochs 15`."""
    shared = [(label, cells[0].words) for label, cells in _telling(table.results) if _shared((label, cells))]
    return (
        "all runs: " + " · ".join(f"{label} {one_line(words, MAX_CELL)}" for label, words in shared) if shared else ""
    )


def _telling(lines: Sequence[Line]) -> list[Line]:
    """The lines in which some cell says something that the headings do not say."""
    return [(label, cells) for label, cells in lines if label not in OMITTED and any(c.text != NOTHING for c in cells)]


def _reasons(table: Table) -> dict[str, str]:
    """A letter for each reason why a cell cannot be compared, in the order of the cells."""
    found = dict.fromkeys(cell.unlike for _, cells in table.results for cell in cells if cell.unlike)
    return dict(zip(string.ascii_lowercase, found, strict=False))


def _shared(line: Line) -> bool:
    return len({cell.words for cell in line[1]}) == 1


def _line(line: Line) -> list[Text]:
    label, cells = line
    return [Text(_title(label), "dim"), *map(_text, cells)]


def _title(label: str) -> str:
    """The label of a line. That of an evaluation takes two lines: its attack and eps, and its images."""
    parts = [one_line(part, MAX_CELL) for part in label.split(", ", 2)]
    return "\n".join(filter(None, (", ".join(parts[:2]), *parts[2:])))


def _text(cell: Cell, letters: Mapping[str, str] = MappingProxyType({})) -> Text:
    """The cell in colour: a star stands out, what cannot be compared is dim and says why.

    letters: by reason; without a letter, the reason stands below in words.
    """
    shown = cell.text if cell.plus_minus is not None else one_line(cell.text, MAX_CELL)
    if letter := letters.get(cell.unlike):
        return Text(f"{shown} {letter}", "dim")
    if cell.unlike:
        return Text(f"{shown}\n{cell.unlike_text}", "dim")
    parts = [Text(shown), Text(cell.difference_text), Text("*" * cell.star)]
    return Text(" ", "bold" if cell.star else "").join(part for part in parts if part)


def _height(line: Sequence[Text]) -> int:
    return max(text.plain.count("\n") for text in line) + 1


def _width_of(lines: Sequence[Sequence[Text | str]]) -> int:
    """The width of a table in characters."""
    return sum(max(map(_cell_width, column)) + PADDING for column in zip(*lines, strict=True))


def _cell_width(text: Text | str) -> int:
    return max(map(cell_len, str(text).split("\n")))
