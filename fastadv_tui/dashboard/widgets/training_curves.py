"""The charts of the chosen and the marked runs: accuracy above, the chosen metrics below."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from textual.app import ComposeResult
from textual.containers import Grid, Vertical
from textual.events import Resize
from textual.geometry import Size

from fastadv_tui.dashboard.chart.legend import accuracy_pair
from fastadv_tui.dashboard.chart.series import Options, Series, Threshold
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.widgets.metrics import Metric
from fastadv_tui.dashboard.widgets.training_axis import TrainingAxis
from fastadv_tui.hardware.sample_history import Metric as LoadFigure
from fastadv_tui.hardware.sample_history import SampleHistory
from fastadv_tui.runs.state import RunState
from fastadv_tui.text.quantities import attack_name
from fastadv_tui.text.sanitize import one_line

SMOOTHING = 0.9
FINAL = "◎"  # stands for the point of the final evaluation
MAX_NAME = 40  # characters of the name of a run in a title
CHART_WIDTH, CHART_HEIGHT = 22, 8  # least cells of a small chart
LEAST_HEIGHT = 24  # with fewer rows, the accuracy alone is shown


class ChartedRun(Struct, frozen=True):
    """A run to draw. look and glyph: those of its mark. live: whether the run has not ended.

    device: the key of the device on which the run trains now, see `SampleHistory`; empty if it does not train here.
    """

    name: str
    state: RunState
    look: int
    glyph: str
    live: bool
    device: str = ""


class TrainingCurves(Vertical):
    """Charts with the same x axis: epochs or training time.

    metrics: those of the small charts. samples: of the machine. switches: those that are on at first: `time` for the x
    axis, `log` for the y axis of the loss, `smooth` for the noisy metrics.
    """

    DEFAULT_CSS = """
    TrainingCurves {
        & #accuracy { height: 2fr; }
        & Grid { height: 1fr; }
        & .no-room { display: none; }
    }
    """

    def __init__(
        self, metrics: Sequence[Metric], samples: SampleHistory, switches: Iterable[str] = (), **options: Any
    ) -> None:
        super().__init__(**options)
        self._metrics, self._samples = list(metrics), samples
        self._runs: Sequence[ChartedRun] = ()
        self._drawn: Any = None
        self._no_accuracy = ""
        self._alone = ""
        self._on = {*switches}

    def compose(self) -> ComposeResult:
        yield Chart(id="accuracy", classes="curve part")
        with Grid(id="small-charts", classes="part"):
            yield from map(_small_chart, self._metrics)

    def on_mount(self) -> None:
        self._draw()

    @property
    def charts(self) -> list[Chart]:
        """All charts, the accuracy first."""
        return list(self.query(Chart))

    async def set_metrics(self, metrics: Sequence[Metric]) -> None:
        """Replace the small charts."""
        self._metrics = list(metrics)
        grid = self.query_one("#small-charts", Grid)
        with self.app.batch_update():
            await grid.remove_children()
            await grid.mount_all(map(_small_chart, self._metrics))
            self.fit_charts()
            self._draw()

    @property
    def switches(self) -> tuple[str, ...]:
        """The switches that are on."""
        return tuple(sorted(self._on))

    @property
    def _axis(self) -> TrainingAxis:
        return TrainingAxis(time="time" in self._on)

    def show(self, runs: Sequence[ChartedRun], no_accuracy: str = "measured after each epoch", alone: str = "") -> None:
        """Draw the runs if they have changed. runs: the chosen run first.

        no_accuracy: the text of the accuracy chart as long as there is no accuracy. alone: the name of the only run,
        which the legend does not have; a chart that is zoomed has it in its title.
        """
        if alone != self._alone:
            self._alone = alone
            self._entitle()
        state = [(replace(run, state=None), _version(run.state)) for run in runs]
        if (state, no_accuracy) != self._drawn:
            self._drawn, self._runs, self._no_accuracy = (state, no_accuracy), list(runs), no_accuracy
            self._draw()

    # -- what the user does -----------------------------------------------------------------------------------

    def toggle_x(self) -> None:
        """Switch the x axis between epochs and training time."""
        self._switch("time")

    def toggle_log(self) -> None:
        """Switch the y axis of the loss between linear and logarithmic."""
        self._switch("log")

    def toggle_smooth(self) -> None:
        """Switch the smoothing of noisy metrics on or off."""
        self._switch("smooth")

    def _switch(self, name: str) -> None:
        self._on ^= {name}
        self._draw()

    def move(self, by: int) -> None:
        """Move the cursor of the first chart that shows a curve, and put all other cursors at the same x.

        The accuracy chart comes first, but it has no curve before the first epoch ends.
        """
        leader = next((chart for chart in self.charts if chart.has_points and chart.content_size), None)
        if leader is None:
            return
        leader.action_move(by)
        for chart in self.charts:
            chart.cursor = leader.cursor

    def clear_cursor(self) -> bool:
        """Put the cursors away. Returns whether there was one."""
        with_cursor = [chart for chart in self.charts if chart.cursor is not None]
        for chart in with_cursor:
            chart.cursor = None
        return bool(with_cursor)

    # -- the arrangement --------------------------------------------------------------------------------------

    def on_resize(self, event: Resize) -> None:
        self.fit_charts()

    def fit_charts(self) -> None:
        """Show as many small charts as fit, in one row or in two; say how many have no room."""
        grid, charts = self.query_one("#small-charts", Grid), self.charts[1:]
        columns, rows = _raster(self.size, len(charts))
        zooming = self.screen.has_class("zooming")
        if zooming:
            columns, rows = 1, 1
        hidden = max(len(charts) - columns * rows, 0)
        grid.set_class(not rows, "no-room")
        grid.styles.grid_size_columns, grid.styles.grid_size_rows = max(columns, 1), max(rows, 1)
        grid.styles.height = f"{rows}fr"
        for number, chart in enumerate(charts):
            chart.set_class(number >= columns * rows, "no-room")
        more = f"{hidden} more chart{'s' * (hidden > 1)}: z, tab" if hidden else ""
        if not zooming:
            self.query_one("#accuracy", Chart).border_subtitle = more
        self._entitle()

    # -- drawing ----------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        self._entitle()
        options = self._options()
        self._draw_accuracy(options)
        for metric in self._metrics:
            self._draw_metric(metric, options)

    def _entitle(self) -> None:
        """Write the titles of the charts, with the name of the run if one chart is shown alone."""
        if not self.is_mounted:
            return
        name = one_line(self._alone, MAX_NAME).replace("[", "(")  # a title is read as markup
        whose = [name] if name and self.screen.has_class("zooming") else []
        x_name = "training time" if self._axis.time else "epoch"
        self.query_one("#accuracy").border_title = " · ".join(filter(None, ["Accuracy", x_name, *whose, self._attack]))
        for metric in self._metrics:
            smooth, log = self._smoothed(metric), self._logarithmic(metric)
            states = [text for text, on in (("log", log), ("smoothed", smooth)) if on]
            self.query_one(f"#{metric.key}").border_title = " · ".join([metric.title, *states, *whose])

    def _smoothed(self, metric: Metric) -> bool:
        return "smooth" in self._on and metric.smooth

    def _logarithmic(self, metric: Metric) -> bool:
        return "log" in self._on and metric.key == "loss"

    def _options(self) -> Options:
        axis = self._axis
        marks = axis.marks(self._runs[0].state) if self._runs else ()
        end = max((axis.planned_end(run.state, run.live) for run in self._runs), default=0.0)
        x_range = (0.0, end) if end > 0 else None  # all charts alike; what is empty is the time to come
        return Options(x="time" if axis.time else "epoch", marks=marks, x_range=x_range)

    @property
    def _attack(self) -> str:
        """The attack of the curves of the robust accuracy; empty if there is none, or if the runs have several."""
        attacks = {run.state.watch[-1].attack for run in self._runs if run.state.watch}
        return attack_name(attacks.pop()) if len(attacks) == 1 else ""

    def _draw_accuracy(self, options: Options) -> None:
        chart = self.query_one("#accuracy", Chart)
        pair = accuracy_pair(self._attack)
        if finals := {run.state.final[-1].attack for run in self._runs if run.state.final}:
            pair += f", {FINAL} {attack_name(finals.pop()) if len(finals) == 1 else 'final'}"
        chart.options = replace(options, y="percent", pair=pair, empty=self._no_accuracy)
        chart.series = [series for run in self._runs for series in self._accuracy(run)]

    def _draw_metric(self, metric: Metric, options: Options) -> None:
        chart = self.query_one(f"#{metric.key}", Chart)
        smoothing = SMOOTHING if self._smoothed(metric) else 0.0
        options = replace(options, log_y=self._logarithmic(metric), smoothing=smoothing)
        if metric.percent:
            options = replace(options, y="percent")
        if metric.key == "signal" and self._runs:
            chosen = self._runs[0].state
            options = replace(options, threshold=_alarm_threshold(chosen))
            if chosen.steps:
                options = replace(options, empty="method has no signal")
        chart.options = options
        chart.series = [self._figures(run, metric) for run in self._runs]

    def _figures(self, run: ChartedRun, metric: Metric) -> Series:
        if metric.load is not None:
            points = self._loads(run, metric.load)
        else:
            x_of = self._axis.x_of
            values = [(x_of(event), metric.value(event)) for event in metric.points(run.state)]
            points = [(x, value) for x, value in values if value is not None]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return Series(name="", xs=xs, ys=ys, look=run.look, glyph=run.glyph)

    def _loads(self, run: ChartedRun, figure: LoadFigure) -> list[tuple[float, float]]:
        """A figure of the run's device while the run trained, as points of the chart. The steps tell the times."""
        steps = run.state.steps
        if not run.device or len(steps) < 2:
            return []
        times = [event.t for event in steps]
        known = zip(*self._samples.series(run.device, figure, times[0], times[-1]), strict=True)
        return [(self._axis.x_of(steps[bisect_right(times, t) - 1]), value) for t, value in known]

    def _accuracy(self, run: ChartedRun) -> list[Series]:
        watch, x_of = run.state.watch, self._axis.x_of
        xs = [x_of(point) for point in watch]
        plain = Series(name=run.name, xs=xs, ys=[point.clean for point in watch], look=run.look, glyph=run.glyph)
        robust = replace(plain, ys=[point.robust for point in watch], dotted=True)
        final = run.state.final[-1:]
        marks = [
            replace(plain, xs=[x_of(last)], ys=[last.robust], points=True, tag=attack_name(last.attack), sign=FINAL)
            for last in final
        ]
        return [plain, robust, *marks]


def _small_chart(metric: Metric) -> Chart:
    return Chart(id=metric.key, classes="curve part")


def _raster(size: Size, count: int) -> tuple[int, int]:
    """The columns and rows in which small charts stand below the accuracy; (0, 0) if there is no room for any."""
    if size.height < LEAST_HEIGHT or not count:
        return 0, 0
    columns = max(min(size.width // CHART_WIDTH, count), 1)
    rows = min(-(-count // columns), 2 if size.height >= LEAST_HEIGHT + CHART_HEIGHT else 1)
    return min(columns, -(-count // rows)), rows


def _version(run: RunState) -> tuple[int, ...]:
    """Differs whenever the charts of a run differ."""
    evaluations = len(run.watch), len(run.guard), len(run.final)
    return (id(run), run.step, *evaluations, len(run.alarms), len(run.rollbacks), run.attempt)


def _alarm_threshold(run: RunState) -> Threshold | None:
    """The overfitting signal at which the engine raises the alarm. Runs of older versions did not record it."""
    signal = run.started.signal_threshold if run.started else None
    return None if signal is None else Threshold(signal, f"alarm {100 * signal:.3g}%")
