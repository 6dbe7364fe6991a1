"""The table of past runs: patched where it can be, filled slice by slice where it cannot."""

from collections.abc import Iterable

from rich.text import Text
from textual.coordinate import Coordinate
from textual.timer import Timer
from textual.widgets import DataTable

SLICE = 40  # rows that are put in at once: measuring a cell takes 40 microseconds
MARK = "mark"  # the first column


class HistoryTable(DataTable[Text]):
    """Lines by the id of their (first) run. The cursor stays on its run, whatever comes and goes."""

    def __init__(self, **options: str) -> None:
        super().__init__(cursor_type="cell", **options)  # type: ignore[arg-type]
        self._keys: list[str] = []
        self._lines: dict[str, list[Text]] = {}
        self._return_to: tuple[str | None, int] = (None, 0)
        self._filling = Timer(self, 1.0, pause=True)  # never started

    @property
    def chosen(self) -> str | None:
        """The id of the line under the cursor."""
        ids = list(self._lines)
        return ids[self.cursor_row] if 0 <= self.cursor_row < len(ids) else None

    def set_columns(self, keys: Iterable[str]) -> None:
        """Begin anew with these columns, behind the one for marks."""
        self.clear(columns=True)
        self._keys, self._lines = [MARK, *keys], {}
        for key in self._keys:
            self.add_column("" if key == MARK else key, key=key)

    def show(self, lines: dict[str, list[Text]]) -> None:
        """Update single cells where the lines are the same; else fill anew."""
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
        """Put in the next lines; slice by slice, so that a key need not wait for all of them."""
        start, (chosen, column) = self.row_count, self._return_to
        for number, run_id in enumerate(list(self._lines)[start : start + SLICE], start):
            self.add_row(*self._lines[run_id], key=run_id)
            if run_id == chosen:
                self.cursor_coordinate = Coordinate(number, column)
        self._filling.stop()
        if self.row_count < len(self._lines):
            self._filling = self.set_timer(0.01, self._fill)
