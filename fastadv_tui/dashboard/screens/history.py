"""The history screen: all runs as a leaderboard, to filter, sort, group, mark and annotate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Horizontal
from textual.timer import Timer
from textual.widgets import DataTable, Label, Static

from fastadv_tui.dashboard.colours import scheme_of
from fastadv_tui.dashboard.evaluation_words import evaluation_words
from fastadv_tui.dashboard.history_lines import (
    LineCells,
    Style,
    heading,
    shown_columns,
    sticky_columns,
    with_added_columns,
)
from fastadv_tui.dashboard.history_summary import groups_text, sort_text
from fastadv_tui.dashboard.screens import history_keys
from fastadv_tui.dashboard.screens.choice_dialog import ChoiceDialog
from fastadv_tui.dashboard.screens.history_actions import ShownRuns
from fastadv_tui.dashboard.screens.history_views import HistoryViews
from fastadv_tui.dashboard.settings import View
from fastadv_tui.dashboard.snapshot import EMPTY, Snapshot
from fastadv_tui.dashboard.widgets.history_preview import HistoryPreview
from fastadv_tui.dashboard.widgets.history_table import HistoryTable
from fastadv_tui.dashboard.widgets.key_bar import KeyBar
from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.history.columns import column_of, known_columns
from fastadv_tui.history.leaderboard import SEEDS, GroupRows, grouped, sorted_lines
from fastadv_tui.history.paper import fitting, is_published
from fastadv_tui.history.query import QueryError, ordered, parse
from fastadv_tui.history.row import Row
from fastadv_tui.text.sanitize import one_line

MAX_LINES = 500  # lines in the table; the filter searches all runs
FILTER_DELAY = 0.15  # seconds without a key before the filter is applied
PREVIEW_DELAY = 0.05  # seconds without a move of the cursor before the preview is drawn
NEWEST_FIRST = "submitted"
NO_GROUPS = "no groups"
GROUPABLE = ("word", "flag", "size", "number")  # kinds of columns whose values several runs may share
WORDS = ("word", "list")  # kinds of columns of which the edge of the screen may show a part
OWN = ("id", "note", "seed")  # no groups by these: hardly two runs agree, and runs of one seed are no recipe
NO_RUNS = "No runs yet. Press n to start one."


class HistoryScreen(HistoryViews):
    """Shows the rows of the history, live."""

    BINDINGS = list(history_keys.BINDINGS)

    def __init__(self, begin: View, view: str = "") -> None:
        """begin: filter, order and groups at the start. view: the name of the view that they are of, if any."""
        super().__init__(begin, view)
        self._first_query = begin.filter
        self._snapshot: Snapshot = EMPTY
        self._expected: tuple[str, str | None] = "", None  # a new run, and the line of the cursor when it was announced
        self._found: list[Row] = []
        self._lines: dict[str, GroupRows] = {}
        self._filter_timer = Timer(self, 1.0, pause=True)  # these first timers never start
        self._preview_timer = Timer(self, 1.0, pause=True)

    @property
    def _table(self) -> HistoryTable:
        return self.query_one(HistoryTable)

    def compose(self) -> ComposeResult:
        yield TopBar("History")
        with Horizontal(id="filter-line"):
            yield Label("/", id="slash")
            yield TextField(
                self._first_query, placeholder="method=fgsm eps>=8 robust>0.4 tag:paper since:7d text", id="query"
            )
            yield Static(id="view", markup=False)
        with Container(id="leaderboard"):
            yield HistoryTable(id="table")
            yield Static(id="nothing", markup=False)
            yield HistoryPreview(id="preview")
        yield Static(id="summary", markup=False)
        yield KeyBar()

    def begin(self) -> None:
        self.set_focus(self._table)

    def take(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.draw_lines()

    # -- drawing ----------------------------------------------------------------------------------------------

    def draw_lines(self) -> None:
        try:
            matches = parse(self._query.value)
            self._found = [row for row in self._snapshot.rows if matches(row)]
            lines = self._sorted_lines()
        except QueryError as error:
            self.query_one("#summary", Static).update(one_line(str(error)))
            return
        self._lines = {rows[0].id: rows for rows in lines[:MAX_LINES]}
        self._draw_table()
        self._go_to_expected()
        self._plan_preview()
        self._summarise(lines)

    def _sorted_lines(self) -> list[GroupRows]:
        """The lines in order. Pinned runs come first in the order of time, where nobody looks for the best."""
        published = [[row] for row in fitting(self._found)]
        if self._group:
            lines = sorted_lines([*grouped(self._found, self._group), *published], self._sort)
        elif self._sort == NEWEST_FIRST:  # the rows of a snapshot are sorted newest first
            lines = [*([row] for row in self._found), *published]
        else:
            lines = [[row] for row in ordered([*self._found, *(rows[0] for rows in published)], self._sort)]
        if self._by_time:
            lines.sort(key=lambda rows: not any(row.pinned for row in rows))
        return lines

    @property
    def _by_time(self) -> bool:
        return self._sort.lstrip("+") == NEWEST_FIRST

    def _draw_table(self) -> None:
        scheme, evaluating = scheme_of(self.app), self._evaluating()
        style = Style(self.fastadv.marked, scheme, self._sort, bool(self._group), self._baseline(), evaluating)
        keys = shown_columns(self.columns, style)
        headings = [(key, heading(key, style)) for key in keys]
        words = [key for key in keys if (column := column_of(key)) and column.kind in WORDS]
        cells = LineCells(self._lines, keys, style).of
        self._table.show(headings, sticky_columns(keys), [*self._lines], cells, words)
        self.set_class(not self._lines, "-empty")
        if not self._lines:
            nothing = f"No run matches {one_line(self._query.value, 60)}. Escape clears the filter."
            self.query_one("#nothing", Static).update(nothing if self._snapshot.rows else NO_RUNS)

    def _evaluating(self) -> dict[str, str]:
        """By run id, the words for an evaluation that waits or is under way."""
        snapshot = self._snapshot
        live = {run_id: evaluation for run_id in snapshot.evaluations if (evaluation := snapshot.evaluation(run_id))}
        return {run_id: evaluation_words(evaluation, snapshot, brief=True) for run_id, evaluation in live.items()}

    def expect(self, run_id: str) -> None:
        """Move the cursor to a new run as soon as there is a line with it, unless the user moves the cursor before."""
        self._expected = run_id, self._table.chosen

    def _go_to_expected(self) -> None:
        expected, line_before = self._expected
        if expected not in (row.id for row in self._snapshot.rows):
            return
        self._expected = "", None
        line = next((line for line, rows in self._lines.items() if any(row.id == expected for row in rows)), None)
        if line is None:
            self.notify("the filter hides the new run")
        elif self._table.chosen == line_before or line_before is None:
            self._table.go_to(line)

    def _plan_preview(self) -> None:
        """Draw the preview soon: neither the table nor a cursor that moves on has to wait for it."""
        self._preview_timer.stop()
        self._preview_timer = self.set_timer(PREVIEW_DELAY, self._draw_preview)

    async def _draw_preview(self) -> None:
        if not self.ready:
            return
        rows = self._under_cursor()
        places = [place for row in rows if (place := self.fastadv.marked.place(row.id)) is not None]
        await self.query_one(HistoryPreview).show(rows, places[0] if places else self.fastadv.marked.free_place)

    def _summarise(self, lines: Sequence[GroupRows]) -> None:
        total, marked = len(self._snapshot.rows), len(self.fastadv.marked)
        pinned_first = self._by_time and any(row.pinned for row in self._found)
        parts = [f"{len(self._found):,} of {total:,} runs", f"sorted by {sort_text(self._sort, pinned_first)}"]
        parts += [f"{marked} marked"] if marked else []
        parts += [groups_text(lines, self._group)] if self._group else []
        parts += ["read-only"] if self.fastadv.readonly else []
        parts += [f"the first {MAX_LINES} are shown"] if len(lines) > MAX_LINES else []
        self.query_one("#summary", Static).update("   ".join(parts) if total else "")
        if self._view or str(self.query_one("#view", Static).visual):
            self.query_one("#view", Static).update(self.view_text())

    def _baseline(self) -> GroupRows:
        """The first line with a pinned run; if no line has one, a pinned run that the filter hides."""
        shown = (rows for rows in self._lines.values() if any(row.pinned for row in rows))
        hidden = ([row] for row in self._snapshot.rows if row.pinned)
        return next(shown, None) or next(hidden, [])

    # -- which runs -------------------------------------------------------------------------------------------

    def _under_cursor(self) -> GroupRows:
        return self._lines.get(self._table.chosen or "", [])

    def under_cursor(self) -> list[Row]:
        return [row for row in self._under_cursor() if not is_published(row)]

    def chosen_run(self) -> str | None:
        """The id of the first run under the cursor, for the palette."""
        return next((row.id for row in self.under_cursor()), None)

    def marked_rows(self) -> list[Row]:
        return [row for row in self._snapshot.rows if row.id in self.fastadv.marked]

    def matching_rows(self) -> list[Row]:
        return self._found

    @property
    def by_seed(self) -> bool:
        return self._group == SEEDS

    # -- what the user does -----------------------------------------------------------------------------------

    def on_input_changed(self) -> None:
        self._filter_timer.stop()
        self._filter_timer = self.set_timer(FILTER_DELAY, self.draw_lines)

    def on_input_submitted(self) -> None:
        self.set_focus(self._table)

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        self._sort_by(str(event.column_key.value))

    def on_data_table_row_selected(self) -> None:
        self.action_open()

    def on_data_table_row_highlighted(self) -> None:
        self._plan_preview()

    def filter_by(self, query: str) -> None:
        """Show the runs that match a filter."""
        self._query.value = query

    def action_leave(self) -> None:
        """Leave the screen. The next history begins as this one is."""
        self.fastadv.history_left = self._present_view(), self._view
        self.app.pop_screen()

    def action_back(self) -> None:
        """Clear the filter; without one, leave the filter's field; else leave the screen."""
        if self._query.value:
            self._query.value = ""
            self.set_focus(self._table)
        elif self._query.has_focus:
            self.set_focus(self._table)
        else:
            self.action_leave()

    def elsewhere(self) -> dict[str, Sequence[Binding]]:
        from fastadv_tui.dashboard.screens.runs import RunsScreen  # below this screen, so it is loaded

        return {
            "on the first screen: press h": [
                key for key in RunsScreen.BINDINGS if isinstance(key, Binding) and key.action != "demo"
            ]
        }

    def action_filter(self) -> None:
        self.set_focus(self._query)

    def action_cursor(self, by: int) -> None:
        self._table.move_cursor(row=self._table.cursor_row + by)

    def action_edge(self, where: str) -> None:
        """Go to the first or the last line. where: `top` or `bottom`."""
        getattr(self._table, f"action_scroll_{where}")()

    def action_open(self) -> None:
        """Open the run under the cursor, or the comparison of a group."""
        rows = self.under_cursor()
        if rows:
            self.fastadv.open_compare([row.id for row in rows])

    def action_sort(self) -> None:
        keys = [key for key in self._known_columns() if (column := column_of(key)) and column.sortable]
        dialog = ChoiceDialog("Sort by; the same column again reverses the order", keys, self._sort.lstrip("+"))
        self.app.push_screen(dialog, lambda key: self._sort_by(key) if key else None)

    def action_reverse(self) -> None:
        self._sort_by(self._sort.lstrip("+"))

    def _sort_by(self, key: str) -> None:
        column = column_of(key)
        if column is None:
            return  # the column of marks, for example
        if column.sortable:
            self._sort = f"+{key}" if self._sort == key else key
            self.draw_lines()
        else:
            self.notify(f"cannot sort by {key}, a list without an order; o offers the columns that can be sorted by")

    def action_columns(self) -> None:
        from fastadv_tui.dashboard.screens.columns_dialog import ColumnsDialog  # the history opens without it

        def chosen(columns: tuple[str, ...] | None) -> None:
            if columns:
                self.fastadv.remember("columns", with_added_columns(columns, self.columns))
                self.draw_lines()

        others = [key for key in self._known_columns() if key not in self.columns]
        self.app.push_screen(ColumnsDialog(self.columns, others), chosen)

    def action_group(self) -> None:
        def chosen(by: str | None) -> None:
            if by:
                self._group = "" if by == NO_GROUPS else by
                self.draw_lines()

        known = (column_of(key) for key in self._known_columns() if key not in OWN)
        keys = [column.key for column in known if column and column.kind in GROUPABLE]
        dialog = ChoiceDialog("Group runs by", [NO_GROUPS, SEEDS, *keys], NO_GROUPS if self._group else SEEDS)
        self.app.push_screen(dialog, chosen)

    def action_mark(self) -> None:
        """Mark the runs under the cursor, or unmark them if all are marked."""
        rows, marked = self.under_cursor(), self.fastadv.marked
        unmarked = [row for row in rows if row.id not in marked]
        for row in unmarked or rows:
            marked.toggle(row.id)
        self.draw_lines()

    def action_unmark(self) -> None:
        self.fastadv.marked.clear()
        self.draw_lines()

    def action_compare(self) -> None:
        runs = [row.id for row in self.marked_rows()]
        if len(runs) < 2:
            self.notify("mark two runs or more with space, then press c")
        else:
            self.fastadv.open_compare(runs, by_seed=self.by_seed)

    def _known_columns(self) -> list[str]:
        return known_columns(self._found)


if TYPE_CHECKING:
    _: type[ShownRuns] = HistoryScreen  # mypy checks that the screen has all that its actions need
