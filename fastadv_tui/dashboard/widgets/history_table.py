"""The table of past runs. It updates single cells if it can. Otherwise it is rebuilt, a few rows at a time."""

from collections.abc import Iterable

from rich.text import Text
from textual.coordinate import Coordinate
from textual.timer import Timer
from textual.widgets import DataTable

from fastadv_tui.dashboard.widgets.table_paint import paint_again_when_measured

ROWS_AT_ONCE = 40  # rows added without a pause for keys: Textual takes 40 microseconds to measure a cell
MARK_COLUMN = "mark"  # key of the first column


class HistoryTable(DataTable[Text]):
    """One line for each run or group of runs. Its key is the id of its first run. The cursor stays on its line."""

    def __init__(self, **options: str) -> None:
        super().__init__(cursor_type="cell", **options)  # type: ignore[arg-type]
        self._keys: list[str] = []
        self._lines: dict[str, list[Text]] = {}
        self._return_to: tuple[str | None, int] = (None, 0)
        self._fill_timer = Timer(self, 1.0, pause=True)  # this first timer never starts

    @property
    def chosen(self) -> str | None:
        """The id of the line under the cursor."""
        ids = list(self._lines)
        return ids[self.cursor_row] if 0 <= self.cursor_row < len(ids) else None

    def set_columns(self, keys: Iterable[str]) -> None:
        """Empty the table and set its columns: one for marks, then these."""
        self.clear(columns=True)
        self._keys, self._lines = [MARK_COLUMN, *keys], {}
        for key in self._keys:
            self.add_column("" if key == MARK_COLUMN else key, key=key)

    def show(self, lines: dict[str, list[Text]]) -> None:
        """Update single cells if the table has the same lines in the same order; otherwise rebuild the table."""
        if list(lines) == list(self._lines):
            self._patch(lines)
            return
        self._return_to = self.chosen, self.cursor_column
        self._lines = lines
        with self.app.batch_update():
            self.clear()
            self._fill()

    def _patch(self, lines: dict[str, list[Text]]) -> None:
        before, self._lines = self._lines, lines
        for run_id, cells in list(lines.items())[: self.row_count]:
            for key, new, old in zip(self._keys, cells, before[run_id], strict=True):
                if new != old:
                    self.update_cell(run_id, key, new, update_width=True)

    def _fill(self) -> None:
        """Add the next lines and plan the rest, so that a key does not wait for all lines."""
        start, (chosen, column) = self.row_count, self._return_to
        for number, run_id in enumerate(list(self._lines)[start : start + ROWS_AT_ONCE], start):
            self.add_row(*self._lines[run_id], key=run_id)
            if run_id == chosen:
                self.cursor_coordinate = Coordinate(number, column)
        paint_again_when_measured(self)
        self._fill_timer.stop()
        if self.row_count < len(self._lines):
            self._fill_timer = self.set_timer(0.01, self._fill)
