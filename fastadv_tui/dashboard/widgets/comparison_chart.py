"""The curves of compared runs, drawn from their rows, so that deleted run folders do not matter."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from engine.config.norms import LINF, Norm
from fastadv_tui.dashboard.after_refresh import after_refresh
from fastadv_tui.dashboard.chart.series import Options, Series
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.marks import glyph_at
from fastadv_tui.history.comparison_table import Column
from fastadv_tui.history.curve_axes import (
    CLEAN,
    ROBUST,
    Point,
    against_epochs,
    against_eps,
    against_time,
    against_work,
    attack_of_curve,
    attack_of_eps,
    norm_of_eps,
    spread,
)
from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import attack_name

MIN_WIDTH = 24  # cells of a small chart, with its border; a narrower one would have no axes
KINDS = (("Robust accuracy while training", ROBUST), ("Clean accuracy while training", CLEAN))
SHORT = ("Robust", "Clean")  # the same for a small chart
TIME = Options(x="time", y="percent", empty="no accuracy was measured during training")
WORK = Options(x="work", y="percent", empty="the work of these runs is unknown")
EPS = Options(x="eps", y="percent", empty="no run was evaluated with several eps")


class ComparisonCharts(Vertical):
    """Accuracy against epochs, time and work, and robust accuracy against eps: one curve for each column."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._columns: Sequence[Column] = ()
        self._places: Sequence[int] = ()
        self._kind = 0
        self._with_eps = False

    def compose(self) -> ComposeResult:
        yield Chart(id="against-epochs", classes="curve")
        with Horizontal(id="small-comparisons"):
            for name in ("time", "work", "eps"):
                yield Chart(id=f"against-{name}", classes="curve")

    def show(self, columns: Sequence[Column], places: Sequence[int]) -> None:
        """Draw the columns. places: one for each column, the number of its colour."""
        self._columns, self._places = columns, places
        self._draw_trained()
        norm = next((norm_of_eps(column.rows) for column in columns if against_eps(column.rows)), LINF)
        self._draw("eps", EPS if norm == LINF else replace(EPS, x="l2"), partial(_eps_points, norm=norm))
        drawn = [column.rows for column in columns if against_eps(column.rows)]
        self.query_one("#against-eps").border_title = f"{_one_name(map(attack_of_eps, drawn)) or 'Robust'} · eps"
        self._with_eps = bool(drawn)
        self._fit_small()

    def on_resize(self) -> None:
        after_refresh(self, self._fit_small)

    def _fit_small(self) -> None:
        """Show as many small charts as have room for their axes, and say which have none."""
        wanted = ["eps", "time", "work"] if self._with_eps else ["time", "work"]  # what is dropped last comes first
        row = self.query_one("#small-comparisons")
        shown = wanted[: max(row.size.width // MIN_WIDTH, 1)] if row.size else wanted
        for name in ("time", "work", "eps"):
            self.query_one(f"#against-{name}").display = name in shown
        hidden = [name for name in wanted if name not in shown]
        several = len(hidden) > 1
        needed = f"chart{'s' * several} against {', '.join(hidden)}: need{'' if several else 's'} a wider terminal"
        self.query_one("#against-epochs").border_subtitle = needed if hidden else ""

    def toggle_accuracy(self) -> None:
        """Draw the clean accuracy in place of the robust one, or back. A chart against eps has only the robust one."""
        self._kind = 1 - self._kind
        self._draw_trained()

    def move(self, by: int) -> None:
        """Move the cursor of the chart that has the focus, else of the first one."""
        focused = next((chart for chart in self.query(Chart) if chart.has_focus), self.query(Chart).first())
        focused.action_move(by)

    def _draw_trained(self) -> None:
        """Draw the accuracy while training against epochs, time and work."""
        title, accuracy = KINDS[self._kind]
        curves = [row for column in self._columns for row in column.rows if row.curve]
        attack = _one_name(map(attack_of_curve, curves)) if accuracy == ROBUST else ""
        self.query_one("#against-epochs").border_title = f"{', '.join(filter(None, (title, attack)))} · epoch"
        options = Options(y="percent", empty="no accuracy was measured during training")
        self._draw("epochs", options, partial(against_epochs, accuracy=accuracy), accuracy)
        for name, small, points_of in (("time", TIME, against_time), ("work", WORK, against_work)):
            self.query_one(f"#against-{name}").border_title = f"{attack or SHORT[self._kind]} · {name}"
            self._draw(name, small, partial(points_of, accuracy=accuracy), accuracy)

    def _draw(
        self, name: str, options: Options, points_of: Callable[[Sequence[Row]], list[Point]], accuracy: int = ROBUST
    ) -> None:
        """Draw one chart: a line for each column; for several seeds their mean and a band of ± one std around it."""
        chart = self.query_one(f"#against-{name}", Chart)
        chart.options = options
        chart.series = [
            _series(column, _name(column, points_of), place, points, accuracy)
            for column, place in zip(self._columns, self._places, strict=True)
            if (points := points_of(column.rows))
        ]


def _one_name(attacks: Iterable[str]) -> str:
    """The name of the attack of all curves; empty if they have several."""
    found = {*attacks}
    return attack_name(found.pop()) if len(found) == 1 else ""


def _name(column: Column, points_of: Callable[[Sequence[Row]], list[Point]]) -> str:
    """The name of a column; of several runs of which only some are in the curve, how many are."""
    drawn, count = sum(bool(points_of([row])) for row in column.rows), len(column.rows)
    return column.name if drawn in (0, count) else f"{column.name.removesuffix(f' ({count})')} ({drawn} of {count})"


def _series(column: Column, name: str, place: int, points: Sequence[Point], accuracy: int) -> Series:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    line = Series(name=name, xs=xs, ys=ys, look=place, glyph=glyph_at(place))
    deviations = spread(column.rows, accuracy)
    if len(deviations) != len(ys):  # a single run, or a chart with other points than those of the epochs
        return line
    lows = [max(y - deviation, 0.0) for y, deviation in zip(ys, deviations, strict=True)]
    highs = [min(y + deviation, 1.0) for y, deviation in zip(ys, deviations, strict=True)]
    return replace(line, lows=lows, highs=highs)


def _eps_points(rows: Sequence[Row], norm: Norm) -> list[Point]:
    """Robust accuracy against eps in the unit of the axis: 1/255 for linf. Runs of another norm have no points."""
    scale = 255 if norm == LINF else 1
    return [(scale * eps, accuracy) for eps, accuracy in against_eps(rows)] if norm_of_eps(rows) == norm else []
