"""The accuracy curves of compared runs, drawn from their rows, so that deleted run folders do not matter."""

from collections.abc import Sequence

from fastadv_tui.dashboard.chart.series import Options, Series
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.history.row import Row
from fastadv_tui.text.sanitize import distinct_labels

KINDS = (("Robust accuracy", 2), ("Clean accuracy", 1))  # title, and index in a point of a row's curve


class ComparisonChart(Chart):
    """One curve per run, of robust or of clean accuracy."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="curve")
        self._rows: Sequence[Row] = ()
        self._kind = 0

    def show(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        title, place = KINDS[self._kind]
        self.border_title = f"{title} while training"
        self.options = Options(y="percent", empty="no accuracy was measured during training")
        self.series = [
            Series(name=name, xs=[point[0] for point in row.curve], ys=[p[place] for p in row.curve])
            for name, row in zip(distinct_labels([(row.name, row.id) for row in rows], 24), rows, strict=True)
        ]

    def toggle_accuracy(self) -> None:
        self._kind = 1 - self._kind
        self.show(self._rows)

    def move(self, by: int) -> None:
        self.action_move(by)
