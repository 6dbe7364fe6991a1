"""The table of past runs. It updates single cells if it can. Otherwise it is rebuilt, a few rows at a time."""

from collections.abc import Callable, Collection, Sequence

from rich.text import Text
from textual.binding import Binding
from textual.timer import Timer

from fastadv_tui.dashboard.widgets.table_paint import paint_again_when_measured
from fastadv_tui.dashboard.widgets.whole_columns import WholeColumnsTable

ROWS_AT_ONCE = 40  # rows added without a pause for keys: Textual takes 40 microseconds to measure a cell
Heading = tuple[str, Text]  # the key of a column, and its title
CellsOf = Callable[[str], list[Text]]


class HistoryTable(WholeColumnsTable):
    """One line for each run or group of runs. Its key is the id of its first run. The cursor stays on its line.

    The first columns stay while the others scroll.
    """

    BINDINGS = [
        Binding("enter", "select_cursor", "Open", id="history-open"),
        Binding("home", "scroll_top", show=False),
        Binding("end", "scroll_bottom", show=False),
    ]

    def __init__(self, **options: str) -> None:
        super().__init__(cursor_type="row", cursor_foreground_priority="renderable", **options)  # type: ignore[arg-type]
        self._headings: list[Heading] = []
        self._ids: list[str] = []
        self._filled: list[list[Text]] = []  # the cells of the first lines, as far as the table has them
        self._cells_of: CellsOf = lambda run_id: []
        self._return_to: str | None = None
        self._fill_timer = Timer(self, 1.0, pause=True)  # this first timer never starts

    @property
    def chosen(self) -> str | None:
        """The id of the line under the cursor."""
        return self._ids[self.cursor_row] if 0 <= self.cursor_row < len(self._ids) else None

    def show(
        self,
        headings: Sequence[Heading],
        sticky: int,
        ids: Sequence[str],
        cells_of: CellsOf,
        cuttable: Collection[str] = (),
    ) -> None:
        """Update single cells if columns and lines are the same in the same order; otherwise rebuild the table.

        sticky: the number of columns that stay at the left. ids: of the lines. cells_of: the cells of a line.
        cuttable: the keys of the columns of words, which the edge of the table may cut.
        """
        self._cells_of, self.cuttable = cells_of, cuttable
        if [*headings] == self._headings and [*ids] == self._ids:
            self._patch()
            return
        self._return_to = self.chosen
        with self.app.batch_update():
            if [*headings] != self._headings:
                self._set_columns(headings, sticky)
            else:
                self.clear()
                self._forget_widths()
            self._ids, self._filled = [*ids], []
            self._fill()

    def go_to(self, line_id: str) -> None:
        """Move the cursor to a line, as soon as the table has it."""
        if line_id in self._ids[: len(self._filled)]:
            self.move_cursor(row=self._ids.index(line_id))
        else:
            self._return_to = line_id

    def action_scroll_bottom(self) -> None:
        """Go to the last line. Lines that were not added yet are added now."""
        if not self._ids:
            return
        while len(self._filled) < len(self._ids):
            self._fill()
        super().action_scroll_bottom()

    def _set_columns(self, headings: Sequence[Heading], sticky: int) -> None:
        self.clear(columns=True)
        self._headings = [*headings]
        for key, title in headings:
            self.add_column(title, key=key)
        self.sticky = sticky
        self.fixed_columns = sticky if self.scroll_x else 0

    def _forget_widths(self) -> None:
        """Let each column become as wide as its heading and its new cells. Textual keeps the width of old cells."""
        for column, (_, title) in zip(self.ordered_columns, self._headings, strict=True):
            column.content_width = title.cell_len

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        """Fix the first columns only while the others are scrolled, because Textual draws fixed columns twice."""
        super().watch_scroll_x(old_value, new_value)
        self.fixed_columns = self.sticky if new_value else 0

    def _patch(self) -> None:
        changed = False
        for place, old_cells in enumerate(self._filled):
            run_id = self._ids[place]
            self._filled[place] = self._cells_of(run_id)
            for (key, _), new, old in zip(self._headings, self._filled[place], old_cells, strict=True):
                if new != old:
                    self.update_cell(run_id, key, new, update_width=True)
                    changed = True
        if changed:
            paint_again_when_measured(self)

    def _fill(self) -> None:
        """Add the next lines and plan the rest, so that a key does not wait for all lines."""
        start = len(self._filled)
        for number, run_id in enumerate(self._ids[start : start + ROWS_AT_ONCE], start):
            self._filled.append(self._cells_of(run_id))
            self.add_row(*self._filled[-1], key=run_id)
            if run_id == self._return_to:
                self.move_cursor(row=number)
        paint_again_when_measured(self)
        self._fill_timer.stop()
        if len(self._filled) < len(self._ids):
            self._fill_timer = self.set_timer(0.01, self._fill)
