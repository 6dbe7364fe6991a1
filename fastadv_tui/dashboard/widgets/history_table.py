"""The table of past runs. It updates single cells if it can. Otherwise it is rebuilt, a few rows at a time."""

from collections.abc import Sequence

from rich.text import Text
from textual.binding import Binding
from textual.timer import Timer
from textual.widgets import DataTable

from fastadv_tui.dashboard.widgets.table_paint import paint_again_when_measured

ROWS_AT_ONCE = 40  # rows added without a pause for keys: Textual takes 40 microseconds to measure a cell
Heading = tuple[str, Text]  # the key of a column, and its title


class HistoryTable(DataTable[Text]):
    """One line for each run or group of runs. Its key is the id of its first run. The cursor stays on its line.

    The first columns stay while the others scroll.
    """

    BINDINGS = [Binding("enter", "select_cursor", "Open", id="history-open")]

    def __init__(self, **options: str) -> None:
        super().__init__(cursor_type="row", **options)  # type: ignore[arg-type]
        self._headings: list[Heading] = []
        self._lines: dict[str, list[Text]] = {}
        self._return_to: str | None = None
        self._fill_timer = Timer(self, 1.0, pause=True)  # this first timer never starts

    @property
    def chosen(self) -> str | None:
        """The id of the line under the cursor."""
        ids = list(self._lines)
        return ids[self.cursor_row] if 0 <= self.cursor_row < len(ids) else None

    def show(self, headings: Sequence[Heading], sticky: int, lines: dict[str, list[Text]]) -> None:
        """Update single cells if columns and lines are the same in the same order; otherwise rebuild the table.

        sticky: the number of columns that stay at the left.
        """
        if [*headings] == self._headings and list(lines) == list(self._lines):
            self._patch(lines)
            return
        self._return_to = self.chosen
        with self.app.batch_update():
            if [*headings] != self._headings:
                self._set_columns(headings, sticky)
            else:
                self.clear()
            self._lines = lines
            self._fill()

    def _set_columns(self, headings: Sequence[Heading], sticky: int) -> None:
        self.clear(columns=True)
        self._headings = [*headings]
        for key, title in headings:
            self.add_column(title, key=key)
        self.fixed_columns = sticky

    def _patch(self, lines: dict[str, list[Text]]) -> None:
        before, self._lines = self._lines, lines
        for run_id, cells in list(lines.items())[: self.row_count]:
            for (key, _), new, old in zip(self._headings, cells, before[run_id], strict=True):
                if new != old:
                    self.update_cell(run_id, key, new, update_width=True)

    def _fill(self) -> None:
        """Add the next lines and plan the rest, so that a key does not wait for all lines."""
        start = self.row_count
        for number, run_id in enumerate(list(self._lines)[start : start + ROWS_AT_ONCE], start):
            self.add_row(*self._lines[run_id], key=run_id)
            if run_id == self._return_to:
                self.move_cursor(row=number)
        paint_again_when_measured(self)
        self._fill_timer.stop()
        if self.row_count < len(self._lines):
            self._fill_timer = self.set_timer(0.01, self._fill)
