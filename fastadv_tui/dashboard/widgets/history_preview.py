"""The preview of the line under the cursor of the history: its curves, facts and note."""

from collections.abc import Sequence
from typing import Any

from textual.containers import Container, VerticalScroll

from fastadv_tui.dashboard.chart.legend import accuracy_pair
from fastadv_tui.dashboard.chart.series import Options, Series
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.widgets.hanging import HangingFacts
from fastadv_tui.dashboard.widgets.run_facts import facts
from fastadv_tui.history.columns import COLUMNS
from fastadv_tui.history.curve_axes import CLEAN, ROBUST, against_epochs, attack_of_curve
from fastadv_tui.history.leaderboard import line_text
from fastadv_tui.history.paper import is_published
from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import attack_name
from fastadv_tui.text.sanitize import one_line

MAX_MEMBERS = 20  # runs of a group that are listed
OF_GROUP = ("dataset", "method", "eps", "seed", "clean", "robust", "duration", "flops")


class HistoryPreview(Container):
    """Shows one run, the mean of a group, or a published result. It stays empty until it shows something first."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._shown: tuple[Sequence[Row], int] | None = None

    async def show(self, rows: Sequence[Row], place: int) -> None:
        """Show the runs of one line; nothing if there is none. place: the number of the colour of the curves."""
        if (rows, place) == self._shown:
            return
        if self._shown is None:
            text = HangingFacts(id="preview-text", markup=False)
            chart = Chart(id="preview-curves", classes="curve")
            await self.mount_all([chart, VerticalScroll(text, id="preview-facts", can_focus=False)])
        self._shown = [*rows], place
        chart = self.query_one("#preview-curves", Chart)
        chart.border_title = _title(rows)
        chart.options = Options(y="percent", pair=accuracy_pair(_attack(rows)))
        chart.series = [
            Series(name="", xs=[x for x, _ in points], ys=[y for _, y in points], look=place, dotted=accuracy == ROBUST)
            for accuracy in (CLEAN, ROBUST)
            if (points := against_epochs(rows, accuracy))
        ]
        chart.display = bool(chart.series)
        self.query_one(HangingFacts).show_facts(_told(rows))


def _attack(rows: Sequence[Row]) -> str:
    """The attack of the curve, which is not that of the final evaluation; empty if the runs have several."""
    attacks = {attack_of_curve(row) for row in rows if row.curve}
    return attack_name(attacks.pop()) if len(attacks) == 1 else ""


def _title(rows: Sequence[Row]) -> str:
    """The name that the runs share; of runs with several names only their number."""
    names = {row.name for row in rows}
    return f"{len(rows)} runs, {len(names)} names" if len(names) > 1 else one_line(next(iter(names), "no run"), 30)


def _told(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Labels and values. The note comes first, because the table has no room for it."""
    if not rows:
        return []
    first = rows[0]
    if is_published(first):
        figures = [(key, COLUMNS[key].text_or(first, "-")) for key in ("clean", "robust", "attack", "duration")]
        return [("published", first.note), *figures]
    if len(rows) == 1:
        found = facts(first, None)
        return [*((label, value) for label, value in found if label == "note"), *_best(first), *_without_note(found)]
    shared = [(COLUMNS[key].title, line_text(rows, COLUMNS[key])) for key in OF_GROUP]
    members = [(row.id, f"seed {row.seed}  {_accuracies(row)}  {row.state}") for row in rows[:MAX_MEMBERS]]
    return [("runs", str(len(rows))), *shared, *members]


def _without_note(found: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(label, value) for label, value in found if label != "note"]


def _best(row: Row) -> list[tuple[str, str]]:
    if row.best_robust is None:
        return []
    best = f"robust {COLUMNS['best_robust'].text(row)} at epoch {COLUMNS['best_epoch'].text(row)}"
    return [("best", f"{best}, {_attack([row])} while training")]


def _accuracies(row: Row) -> str:
    return f"{COLUMNS['clean'].text_or(row, '-')} / {COLUMNS['robust'].text_or(row, '-')}"
