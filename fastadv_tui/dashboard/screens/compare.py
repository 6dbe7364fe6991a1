"""The screen that compares runs: their accuracy curves, their results, and the settings that differ."""

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical, VerticalScroll
from textual.widgets import Static

from fastadv_tui.dashboard.after_refresh import after_refresh
from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.screens.export import COMPARISON, Exported, offer_export
from fastadv_tui.dashboard.snapshot import Snapshot
from fastadv_tui.dashboard.widgets.comparison_chart import ComparisonCharts
from fastadv_tui.dashboard.widgets.comparison_view import ComparisonView, shared_text
from fastadv_tui.dashboard.widgets.key_bar import KeyBar
from fastadv_tui.dashboard.widgets.top_bar import TopBar
from fastadv_tui.history.comparison import compare
from fastadv_tui.history.comparison_notes import PARENTHESES
from fastadv_tui.history.comparison_table import Column, Table
from fastadv_tui.history.paper import fitting, is_published, why_none_fits
from fastadv_tui.history.row import Row
from fastadv_tui.text.sanitize import one_line

MIN_BESIDE = 110  # width of a terminal, in characters, in which charts and table stand side by side
BORDERS = 4  # width of the border and the scroll bar of the table


class CompareScreen(Screen[None]):
    """Compares any number of runs by their rows in the history, so that deleted run folders do not matter."""

    BINDINGS = [
        Binding(key, action, words, id=f"compare-{name}", show=shown, tooltip=told)
        for key, action, words, name, shown, told in (
            ("escape,c", "app.pop_screen", "Back", "back", True, "back to the screen before"),
            ("E", "export", "Export", "export", True, "export this comparison, numbers or a figure"),
            ("g", "group", "Seeds", "seeds", True, "the seeds of a recipe as one column, or each run"),
            ("p", "toggle_published", "Published", "published", False, "published results beside the runs, or not"),
            ("v", "toggle_accuracy", "Robust or clean", "turn", True, "curves of the robust or of the clean accuracy"),
            ("t", "toggle_charts", "Charts or table", "charts", True, "charts or table, where both have no room"),
            ("left_square_bracket", "move(-1)", "Cursor left", "left", False, "cursor of the charts to the left"),
            ("right_square_bracket", "move(1)", "Cursor right", "right", False, "cursor of the charts to the right"),
        )
    ]

    def __init__(self, runs: Sequence[str], by_seed: bool = False) -> None:
        """runs: ids. by_seed: runs that differ only in their seed are one column at first."""
        super().__init__()
        self._runs, self._by_seed = runs, by_seed
        self._rows: list[Row] = []
        self._with_published = False

    def compose(self) -> ComposeResult:
        yield TopBar("History")
        with Container(id="compare"):
            yield ComparisonCharts(id="comparison")
            with Vertical(id="tables"):
                yield ComparisonView(id="results")
                with VerticalScroll(id="footnotes", can_focus=False):
                    yield Static(id="notes", markup=False)
        yield KeyBar()

    def begin(self) -> None:
        self.set_focus(self.query_one("#results"))

    def take(self, snapshot: Snapshot) -> None:
        """Draw everything again if a row of the compared runs has changed, which is rare."""
        rows = [row for run_id in self._runs if (row := snapshot.row(run_id)) is not None]
        if rows != self._rows:
            self._rows = rows
            self._draw()

    def on_resize(self) -> None:
        """Decide again whether the runs fit side by side."""
        after_refresh(self, self._draw)

    def _draw(self) -> None:
        if not self.ready or not self._rows:
            return
        table = self._table()
        places = self.fastadv.marked.places_of(self._marked_id(column) for column in table.columns)
        runs = [each for each in zip(table.columns, places, strict=True) if not is_published(each[0].first)]
        self.query_one(ComparisonCharts).show([column for column, _ in runs], [place for _, place in runs])
        view = self.query_one(ComparisonView)
        beside = self.app.size.width >= MIN_BESIDE
        room = self.app.size.width // 2 if beside else self.app.size.width
        as_rows = view.show(table, places, room - BORDERS)
        self.set_class(as_rows, "-rows")
        view.border_title = f"Results · {_counted(table)}"
        self.query_one("#notes", Static).update("\n".join(map(one_line, _below(table, as_rows, view.reasons))))

    def _marked_id(self, column: Column) -> str:
        """The run whose colour a column has: the first marked one, else the first one."""
        return next((row.id for row in column.rows if row.id in self.fastadv.marked), column.first.id)

    def action_toggle_accuracy(self) -> None:
        self.query_one(ComparisonCharts).toggle_accuracy()

    def action_move(self, by: int) -> None:
        self.query_one(ComparisonCharts).move(by)

    def action_group(self) -> None:
        """Show runs that differ only in their seed as one column, or each alone."""
        if len(compare(self._rows, by_seed=True).columns) == len(self._rows):
            self.notify("No two of these runs differ only in their seed", severity="warning")
            return
        self._by_seed = not self._by_seed
        self._draw()

    def action_toggle_published(self) -> None:
        """Show published results for the data set and eps of the runs, or hide them."""
        self._with_published = not self._with_published
        if self._with_published and not fitting(self._rows):
            self._with_published = False
            self.notify(why_none_fits(self._rows), markup=False)
        self._draw()

    def _table(self) -> Table:
        published = fitting(self._rows, every=True) if self._with_published else []
        return compare([*self._rows, *published], self._by_seed)

    def action_toggle_charts(self) -> None:
        """Show only the charts, or only the table; a narrow terminal begins with the table."""
        self.toggle_class("-charts")

    def action_export(self) -> None:
        offer_export(self, Exported(self._rows, self._by_seed, self._table), COMPARISON)


def _counted(table: Table) -> str:
    """The run, or how many runs and groups the table shows: `6 runs in 2 groups, mean over seeds · 3 published`."""
    own = [column for column in table.columns if not is_published(column.first)]
    words = f"run {own[0].label}" if _alone(table) else _number(sum(len(column.rows) for column in own), "run")
    words += f" in {_number(len(own), 'group')}, mean over seeds" if table.grouped else ""
    published = len(table.columns) - len(own)
    return words + (f" · {published} published" if published else "")


def _alone(table: Table) -> bool:
    """Whether the table shows one run, beside which nothing can agree or differ."""
    return sum(len(column.rows) for column in table.columns if not is_published(column.first)) == 1


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _below(table: Table, as_rows: bool, reasons: Mapping[str, str]) -> list[str]:
    """What stands below the table: the letters, what all runs share, the meaning of the signs, and the warnings.

    reasons: by the letter that stands for one in the cells.
    """
    warnings = [f"! {text}" for text in table.warnings] or ["data, evaluation and code agree"] * (not _alone(table))
    shared = shared_text(table) if as_rows else ""
    cautions = [f"! {text}" for text in table.cautions]
    letters = [f"{letter}  not comparable: {reason}" for letter, reason in reasons.items()]
    notes = [note for note in table.notes if not (letters and note.startswith(PARENTHESES))]
    return [*letters, *filter(None, (shared, " · ".join(notes))), *cautions, *warnings]
