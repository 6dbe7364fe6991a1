"""The history screen: all runs as a leaderboard, to filter, sort, group, mark and annotate."""

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.timer import Timer
from textual.widgets import DataTable, Input, Label, Static

from fastadv_tui.dashboard.colours import scheme_of
from fastadv_tui.dashboard.history_lines import (
    LineCells,
    Style,
    heading,
    shown_columns,
    sticky_columns,
    with_added_columns,
)
from fastadv_tui.dashboard.screens import history_keys
from fastadv_tui.dashboard.screens.choice_dialog import ChoiceDialog
from fastadv_tui.dashboard.screens.history_actions import HistoryActions, ShownRuns
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
from fastadv_tui.history.significance import MIN_SEEDS
from fastadv_tui.text.sanitize import one_line

MAX_LINES = 500  # lines in the table; the filter searches all runs
FILTER_DELAY = 0.15  # seconds without a key before the filter is applied
PREVIEW_DELAY = 0.05  # seconds without a move of the cursor before the preview is drawn
NEWEST_FIRST = "submitted"
NO_GROUPS = "no groups"
GROUPABLE = ("word", "flag", "size", "number")  # kinds of columns whose values several runs may share
OWN = ("id", "note", "seed")  # no groups by these: hardly two runs agree, and runs of one seed are no recipe
SAVE, REMOVE = "save changes to ", "remove "  # entries of the dialog of views
NO_RUNS = "No runs yet. Press escape, then n to start one."


class HistoryScreen(HistoryActions):
    """Shows the rows of the history, live."""

    BINDINGS = list(history_keys.BINDINGS)

    def __init__(self, query: str = "") -> None:
        """query: the filter at the start."""
        super().__init__()
        self._first_query = query
        self._snapshot: Snapshot = EMPTY
        self._sort = NEWEST_FIRST
        self._group = ""
        self._view = ""
        self._found: list[Row] = []
        self._lines: dict[str, GroupRows] = {}
        self._filter_timer = Timer(self, 1.0, pause=True)  # these first timers never start
        self._preview_timer = Timer(self, 1.0, pause=True)

    @property
    def _table(self) -> HistoryTable:
        return self.query_one(HistoryTable)

    @property
    def _query(self) -> Input:
        return self.query_one("#query", Input)

    @property
    def columns(self) -> tuple[str, ...]:
        """The keys of the columns that the user chose."""
        return tuple(key for key in self.fastadv.settings.columns if column_of(key))

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
        self._draw()

    # -- drawing ----------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        try:
            matches = parse(self._query.value)
            self._found = [row for row in self._snapshot.rows if matches(row)]
            lines = self._sorted_lines()
        except QueryError as error:
            self.query_one("#summary", Static).update(one_line(str(error)))
            return
        self._lines = {rows[0].id: rows for rows in lines[:MAX_LINES]}
        self._draw_table()
        self._plan_preview()
        self._summarise(len(lines))

    def _sorted_lines(self) -> list[GroupRows]:
        """The lines in order. Pinned runs come first in the order of time, where nobody looks for the best."""
        published = [[row] for row in fitting(self._found)]
        if self._group:
            lines = sorted_lines([*grouped(self._found, self._group), *published], self._sort)
        elif self._sort == NEWEST_FIRST:  # the rows of a snapshot are sorted newest first
            lines = [*([row] for row in self._found), *published]
        else:
            lines = [[row] for row in ordered([*self._found, *(rows[0] for rows in published)], self._sort)]
        if self._sort.lstrip("+") == NEWEST_FIRST:
            lines.sort(key=lambda rows: not any(row.pinned for row in rows))
        return lines

    def _draw_table(self) -> None:
        style = Style(self.fastadv.marked, scheme_of(self.app), self._sort, bool(self._group), self._baseline())
        keys = shown_columns(self.columns, style)
        headings = [(key, heading(key, style)) for key in keys]
        self._table.show(headings, sticky_columns(keys), [*self._lines], LineCells(self._lines, keys, style).of)
        self.set_class(not self._lines, "-empty")
        if not self._lines:
            nothing = f"No run matches {one_line(self._query.value, 60)}. Escape clears the filter."
            self.query_one("#nothing", Static).update(nothing if self._snapshot.rows else NO_RUNS)

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

    def _summarise(self, lines: int) -> None:
        total, marked = len(self._snapshot.rows), len(self.fastadv.marked)
        by = "differ only in their seed" if self._group == SEEDS else f"agree in {self._group}"
        parts = [f"{len(self._found):,} of {total:,} runs", f"sorted by {_sort_text(self._sort)}"]
        parts += [f"{marked} marked"] if marked else []
        parts += [f"{lines:,} lines, mean (from {MIN_SEEDS} runs on ± std) over runs that {by}"] if self._group else []
        parts += ["read-only"] if self.fastadv.readonly else []
        parts += [f"the first {MAX_LINES} are shown"] if lines > MAX_LINES else []
        self.query_one("#summary", Static).update("   ".join(parts) if total else NO_RUNS)
        if self._view or str(self.query_one("#view", Static).visual):
            self.query_one("#view", Static).update(f"view: {one_line(self._view, 24)}" if self._view else "")

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

    # -- what the user does -----------------------------------------------------------------------------------

    def on_input_changed(self) -> None:
        self._filter_timer.stop()
        self._filter_timer = self.set_timer(FILTER_DELAY, self._draw)

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
        """Leave the screen. The next history begins with the filter of this one."""
        self.fastadv.history_filter = self._query.value
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

    def action_filter(self) -> None:
        self.set_focus(self._query)

    def action_cursor(self, by: int) -> None:
        self._table.move_cursor(row=self._table.cursor_row + by)

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
            self._draw()
        else:
            self.notify(f"cannot sort by {key}, a list without an order; o offers the columns that can be sorted by")

    def action_columns(self) -> None:
        from fastadv_tui.dashboard.screens.columns_dialog import ColumnsDialog  # the history opens without it

        def chosen(columns: tuple[str, ...] | None) -> None:
            if columns:
                self.fastadv.remember("columns", with_added_columns(columns, self.columns))
                self._draw()

        others = [key for key in self._known_columns() if key not in self.columns]
        self.app.push_screen(ColumnsDialog(self.columns, others), chosen)

    def action_group(self) -> None:
        def chosen(by: str | None) -> None:
            if by:
                self._group = "" if by == NO_GROUPS else by
                self._draw()

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
        self._draw()

    def action_unmark(self) -> None:
        self.fastadv.marked.clear()
        self._draw()

    def action_compare(self) -> None:
        runs = [row.id for row in self.marked_rows()]
        if len(runs) < 2:
            self.notify("mark two runs or more with space, then press c")
        else:
            self.fastadv.open_compare(runs, by_seed=self._group == SEEDS)

    def _known_columns(self) -> list[str]:
        return known_columns(self._found)

    # -- views ------------------------------------------------------------------------------------------------

    def action_views(self) -> None:
        views = self.fastadv.settings.views
        present = [f"{SAVE}{self._view}", f"{REMOVE}{self._view}"] if self._view in views else []
        title = "Open a view, or type a new name to save the filter, order, groups and columns"
        self.app.push_screen(ChoiceDialog(title, [*views, *present], self._view, new=True), self._choose_view)

    def _choose_view(self, chosen: str | None) -> None:
        views = self.fastadv.settings.views
        if chosen is None:
            return
        if chosen in views:
            self._open_view(chosen, views[chosen])
            return
        if chosen == f"{REMOVE}{self._view}":
            remembered = {name: view for name, view in views.items() if name != self._view}
            self._view = ""
        else:
            self._view = chosen.removeprefix(SAVE) if chosen == f"{SAVE}{self._view}" else chosen
            view = View(filter=self._query.value, sort=self._sort, group=self._group, columns=self.columns)
            remembered = {**views, self._view: view}
        self.fastadv.remember("views", remembered)
        self._draw()

    def _open_view(self, name: str, view: View) -> None:
        self._view, self._sort, self._group, self._query.value = name, view.sort, view.group, view.filter
        if view.columns:
            self.fastadv.remember("columns", view.columns)
        self._draw()


def _sort_text(sort: str) -> str:
    return f"{sort[1:]}, lowest first" if sort.startswith("+") else sort


if TYPE_CHECKING:
    _: type[ShownRuns] = HistoryScreen  # mypy checks that the screen has all that its actions need
