"""The history screen: a table of all runs, to filter, sort, mark and annotate."""

from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.timer import Timer
from textual.widgets import DataTable, Footer, Input, Static

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.screens.columns_dialog import ColumnsDialog
from fastadv_tui.dashboard.screens.confirm_dialog import ConfirmDialog
from fastadv_tui.dashboard.screens.text_dialog import TextDialog
from fastadv_tui.dashboard.snapshot import EMPTY, Snapshot
from fastadv_tui.dashboard.widgets.history_table import HistoryTable
from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.history.columns import COLUMNS, SHOWABLE
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import Notes, changed_tags
from fastadv_tui.history.query import QueryError, ordered, parse
from fastadv_tui.history.row import Row
from fastadv_tui.history.seed_groups import Group, group_by_seed, mean_std, seeds_text
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs import control
from fastadv_tui.text.sanitize import one_line, run_label

MAX_LINES = 500  # lines in the table; the filter searches all runs
FILTER_DELAY = 0.15  # seconds without a key before the filter is applied
NEWEST_FIRST = "submitted"
MAX_CELL_WIDTH = 28


class HistoryScreen(Screen[None]):
    """Shows the rows of the history, live."""

    BINDINGS = [
        Binding("escape,h", "back", "Back", id="history-back"),
        Binding("slash", "filter", "Filter", id="history-filter", key_display="/"),
        Binding("space", "mark", "Mark", id="history-mark"),
        Binding("c", "compare", "Compare", id="history-compare"),
        Binding("o", "sort", "Sort", id="history-sort"),
        Binding("v", "columns", "Columns", id="history-columns", show=False),
        Binding("g", "group", "Seeds", id="history-group"),
        Binding("a", "evaluate", "Evaluate", id="history-evaluate", show=False),
        Binding("P", "pin", "Pin", id="history-pin", show=False),
        Binding("T", "tag", "Tag", id="history-tag", show=False),
        Binding("N", "note", "Note", id="history-note", show=False),
        Binding("r", "rename", "Rename", id="history-rename", show=False),
        Binding("R", "resume", "Resume", id="history-resume", show=False),
        Binding("e", "again", "Run again with changes", id="history-again", show=False),
        Binding("D", "delete", "Delete", id="history-delete", show=False),
        Binding("n", "app.launch", "New run", id="history-new", show=False),  # shown, it hides the help at 80 columns
        Binding("j", "cursor(1)", "Down", show=False),
        Binding("k", "cursor(-1)", "Up", show=False),
    ]

    def __init__(self, query: str = "") -> None:
        super().__init__(id="history")
        self._query = query
        self._snapshot: Snapshot = EMPTY
        self._sort = NEWEST_FIRST
        self._grouped = False
        self._filter_timer = Timer(self, 1.0, pause=True)  # this first timer never starts

    @property
    def _table(self) -> HistoryTable:
        return self.query_one(HistoryTable)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(key for key in self.fastadv.settings.columns if key in SHOWABLE)

    def compose(self) -> ComposeResult:
        yield TopBar("History")
        yield TextField(self._query, placeholder="method=fgsm eps>=8 robust>0.4 tag:paper since:7d text", id="query")
        yield HistoryTable(id="table")
        yield Static(id="summary", markup=False)
        yield Footer()

    def begin(self) -> None:
        self._table.set_columns(self.columns)
        self._table.focus()

    def take(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._draw()

    # -- drawing ----------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        try:
            matches = parse(self.query_one("#query", Input).value)
        except QueryError as error:
            self.query_one("#summary", Static).update(str(error))
            return
        found = [row for row in self._snapshot.rows if matches(row)]
        if self._sort != NEWEST_FIRST:  # the rows of a snapshot are sorted newest first
            found = ordered(found, self._sort)
        found.sort(key=lambda row: not row.pinned)
        lines = self._lines(found)
        self._table.show(dict(list(lines.items())[:MAX_LINES]))
        self._summarise(len(found), len(lines) if self._grouped else len(found))

    def _lines(self, rows: list[Row]) -> dict[str, list[Text]]:
        """The cells of each line, by the id of its run or of the first run of its group."""
        if self._grouped:
            return {group.rows[0].id: self._group_cells(group) for group in group_by_seed(rows)}
        baseline = next((row for row in rows if row.pinned), None)
        return {row.id: self._row_cells(row, baseline) for row in rows[:MAX_LINES]}

    def _row_cells(self, row: Row, baseline: Row | None) -> list[Text]:
        marks = ("⚑" if row.pinned else " ") + self.fastadv.marked.glyph(row.id)
        return [Text(marks), *(self._cell(row, key, baseline) for key in self.columns)]

    def _cell(self, row: Row, key: str, baseline: Row | None) -> Text:
        text = one_line(COLUMNS[key].text(row), MAX_CELL_WIDTH)
        mine, theirs = getattr(row, key, None), getattr(baseline, key, None)
        if key in ("clean", "robust") and baseline is not row and mine is not None and theirs is not None:
            text += f" {100 * (mine - theirs):+.1f}"
        return Text(text)

    def _group_cells(self, group: Group) -> list[Text]:
        texts = {
            "clean": mean_std(group.clean, group.clean_std),
            "robust": mean_std(group.robust, group.robust_std),
            "seed": seeds_text(group),
        }
        first = group.rows[0]
        if len({row.status for row in group.rows}) > 1:
            texts["status"] = "several"
        cells = [
            Text(texts[key] if key in texts else one_line(COLUMNS[key].text(first), MAX_CELL_WIDTH))
            for key in self.columns
        ]
        return [Text(f"n={group.count}"), *cells]

    def _summarise(self, found: int, lines: int) -> None:
        total, marked = len(self._snapshot.rows), len(self.fastadv.marked)
        parts = [f"{found:,} of {total:,} runs", f"sorted by {_sort_text(self._sort)}"]
        parts += [f"{marked} marked"] if marked else []
        parts += [f"{lines:,} groups, mean ± std over seeds"] if self._grouped else []
        parts += ["read-only"] if self.fastadv.readonly else []
        parts += [f"the first {MAX_LINES} are shown"] if lines > MAX_LINES else []
        text = "   ".join(parts) if total else "No runs yet. Press escape, then n to start one."
        self.query_one("#summary", Static).update(text)

    # -- what the user does -----------------------------------------------------------------------------------

    def chosen_run(self) -> str | None:
        return self._table.chosen

    def _chosen(self) -> Row | None:
        return self._snapshot.row(self._table.chosen)

    def on_input_changed(self) -> None:
        self._filter_timer.stop()
        self._filter_timer = self.set_timer(FILTER_DELAY, self._draw)

    def on_input_submitted(self) -> None:
        self._table.focus()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        self._sort_by(str(event.column_key.value))

    def on_data_table_cell_selected(self) -> None:
        self.action_mark()

    def action_back(self) -> None:
        if self.query_one("#query", Input).has_focus:
            self._table.focus()
        else:
            self.app.pop_screen()

    def action_filter(self) -> None:
        self.query_one("#query").focus()

    def action_cursor(self, by: int) -> None:
        self._table.move_cursor(row=self._table.cursor_row + by)

    def action_sort(self) -> None:
        self._sort_by(["", *self.columns][self._table.cursor_column])

    def _sort_by(self, key: str) -> None:
        if key not in COLUMNS:
            return  # the column of marks
        if COLUMNS[key].sortable:
            self._sort = f"+{key}" if self._sort == key else key
            self._draw()
        else:
            self.notify(f"cannot sort by {key}: its values have no order; choose another column")

    def action_columns(self) -> None:
        def chosen(columns: tuple[str, ...] | None) -> None:
            if columns:
                self.fastadv.remember("columns", columns)
                self._table.set_columns(self.columns)
                self._draw()

        others = [key for key in SHOWABLE if key not in self.columns]
        self.app.push_screen(ColumnsDialog(self.columns, others), chosen)

    def action_group(self) -> None:
        self._grouped = not self._grouped
        self._draw()

    def action_mark(self) -> None:
        if run_id := self._table.chosen:
            self.fastadv.marked.toggle(run_id)
            self._draw()

    def action_compare(self) -> None:
        runs = [row.id for row in self._snapshot.rows if row.id in self.fastadv.marked]
        if len(runs) < 2:
            self.notify("mark two runs or more with space, then press c")
        else:
            self.fastadv.open_compare(runs)

    def action_pin(self) -> None:
        def change(notes: Notes) -> None:
            notes.pinned = not notes.pinned

        self._edit(change)

    def action_tag(self) -> None:
        def ask(row: Row) -> None:
            def change(notes: Notes, text: str) -> None:
                notes.tags = changed_tags(notes.tags, text.split())

            present = one_line(", ".join(row.tags)) or "none"
            self._ask(row, f"tags now: {present}\ntype tags to add; -TAG takes a tag off", "", change)

        self._with_chosen(ask)

    def action_note(self) -> None:
        def ask(row: Row) -> None:
            def change(notes: Notes, text: str) -> None:
                notes.note = text

            self._ask(row, "note", row.note, change)

        self._with_chosen(ask)

    def action_rename(self) -> None:
        def ask(row: Row) -> None:
            def change(notes: Notes, text: str) -> None:
                notes.name = text

            self._ask(row, "name", row.name, change)

        self._with_chosen(ask)

    def action_resume(self) -> None:
        self._with_chosen(lambda row: self.fastadv.resume(_folder(row)))

    def action_again(self) -> None:
        self._with_chosen(lambda row: self.fastadv.open_launch(_folder(row)))

    def action_evaluate(self) -> None:
        """Evaluate the marked runs, or the one under the cursor if none is marked."""
        chosen = self._table.chosen
        self.fastadv.open_evaluate([*self.fastadv.marked] or ([chosen] if chosen else []))

    def action_delete(self) -> None:
        def delete(row: Row) -> None:
            if _folder(row).path.exists():
                control.delete(_folder(row))
            History().remove(row.id)

        def ask(row: Row) -> None:
            def answered(yes: bool | None) -> None:
                if yes:
                    self.fastadv.attempt(delete, row)

            question = ConfirmDialog(
                f"{run_label(row.name, row.id)}\nDelete its folder and its row? This cannot be undone.", "Delete"
            )
            self.app.push_screen(question, answered)

        self._with_chosen(ask)

    def _with_chosen(self, action: Callable[[Row], Any]) -> None:
        if row := self._chosen():
            action(row)

    def _edit(self, change: Callable[[Notes], None]) -> None:
        self._with_chosen(lambda row: self.fastadv.attempt(History().edit, _folder(row), change))

    def _ask(self, row: Row, label: str, text: str, change: Callable[[Notes, str], None]) -> None:
        def answered(answer: str | None) -> None:
            if answer is not None:  # for the row that the dialog names, even if the cursor has moved
                self.fastadv.attempt(History().edit, _folder(row), lambda notes: change(notes, answer))

        self.app.push_screen(TextDialog(f"{run_label(row.name, row.id)}: {label}", text), answered)


def _sort_text(sort: str) -> str:
    return f"{sort[1:]}, lowest first" if sort.startswith("+") else sort


def _folder(row: Row) -> RunDir:
    return RunDir(runs_dir() / row.id)
