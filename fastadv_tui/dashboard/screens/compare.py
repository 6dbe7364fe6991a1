"""The screen that compares runs: their accuracy curves, their results, and the settings that differ."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import DataTable, Footer, Static

from engine.protocol.files import FOR_ALL, WriteError, write_atomic
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.snapshot import Snapshot
from fastadv_tui.dashboard.widgets.comparison_chart import ComparisonChart
from fastadv_tui.dashboard.widgets.table_paint import paint_again_when_measured
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.history.comparison import compare
from fastadv_tui.history.comparison_formats import FORMATS
from fastadv_tui.history.comparison_table import Cell
from fastadv_tui.history.row import Row
from fastadv_tui.text.sanitize import distinct_labels, one_line

SUFFIXES = {"csv": "csv", "md": "md", "latex": "tex"}


class CompareScreen(Screen[None]):
    """Compares any number of runs by their rows in the history, so that deleted run folders do not matter."""

    BINDINGS = [
        Binding("escape,c", "app.pop_screen", "Back", id="compare-back"),
        Binding("E", "export", "Export", id="compare-export"),
        Binding("v", "toggle_accuracy", "Robust or clean", id="compare-turn"),
        Binding("left_square_bracket", "move(-1)", "Cursor left", id="compare-left", show=False),
        Binding("right_square_bracket", "move(1)", "Cursor right", id="compare-right", show=False),
    ]

    def __init__(self, runs: Sequence[str]) -> None:
        super().__init__()
        self._runs = runs
        self._rows: list[Row] = []

    def compose(self) -> ComposeResult:
        yield TopBar("History")
        with Horizontal(id="compare"):
            yield ComparisonChart(id="comparison")
            with VerticalScroll(id="tables"):
                yield DataTable(id="results", cursor_type="none", show_cursor=False)
                yield DataTable(id="settings", cursor_type="none", show_cursor=False)
                yield Static(id="warnings", markup=False)
        yield Footer()

    def begin(self) -> None:
        self.query_one("#results").border_title = "Results"
        self.query_one("#settings").border_title = "Settings that differ"
        self.query_one("#tables").focus()

    def take(self, snapshot: Snapshot) -> None:
        """Draw everything again if a row of the compared runs has changed, which is rare."""
        rows = [row for run_id in self._runs if (row := snapshot.row(run_id)) is not None]
        if rows == self._rows:
            return
        self._rows = rows
        table = compare(rows)
        names = distinct_labels([(row.name, row.id) for row in rows], 20)
        self._fill("#results", names, table.results)
        self._fill("#settings", names, table.settings)
        no_warning = "data, evaluation and code agree"
        warnings = self.query_one("#warnings", Static)
        warnings.update("\n".join(f"! {text}" for text in table.warnings) or no_warning)
        warnings.set_class(not table.warnings, "-fine")
        self.query_one(ComparisonChart).show(rows)

    def action_toggle_accuracy(self) -> None:
        self.query_one(ComparisonChart).toggle_accuracy()

    def action_move(self, by: int) -> None:
        self.query_one(ComparisonChart).move(by)

    def action_export(self) -> None:
        """The table as CSV, Markdown and LaTeX, and the screen as SVG, in the current folder."""
        if self.fastadv.readonly:  # a reader in a browser must not write files here
            self.notify("this dashboard is read-only", severity="warning")
            return
        name = f"fastadv-compare-{time.strftime('%Y%m%d-%H%M%S')}"
        table = compare(self._rows)
        try:
            stem = Path.cwd() / name  # fails if the current folder was deleted
            for form, suffix in SUFFIXES.items():
                write_atomic(stem.with_suffix(f".{suffix}"), FORMATS[form](table).encode(), FOR_ALL)
            picture = self.app.export_screenshot(title="fastadv")
            write_atomic(stem.with_suffix(".svg"), picture.encode(), FOR_ALL)
        except WriteError as error:
            self.notify(str(error), severity="error", markup=False)
        except OSError as error:
            self.notify(f"cannot write {name}.*: {error.strerror}", severity="error", markup=False)
        else:
            self.notify(f"written: {stem}.csv, .md, .tex and .svg", markup=False, timeout=10)

    def _fill(self, query: str, names: list[str], lines: list[tuple[str, list[Cell]]]) -> None:
        table = self.query_one(query, DataTable)
        table.clear(columns=True)
        table.add_columns("", *map(Text, names))  # a str would be read as markup
        for label, cells in lines:
            shown = [Text(one_line(cell.words, 48), style="bold" if cell.star else "") for cell in cells]
            table.add_row(Text(label, style="dim"), *shown)
        paint_again_when_measured(table)
