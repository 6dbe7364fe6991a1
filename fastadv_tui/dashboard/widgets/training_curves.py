"""The curves of one run, and of those marked beside it: accuracy large, loss, learning rate and signal below."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from engine.protocol.events import Evaluated, Step
from fastadv_tui.dashboard.chart.series import Mark, Options, Series, Threshold
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.runs.state import RunState

Named = tuple[str, RunState]
SMOOTHING = 0.9
SMALL = ("loss", "lr", "signal")


class TrainingCurves(Vertical):
    """Charts over one x axis: epochs or training time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._runs: Sequence[Named] = ()
        self._drawn: Any = None
        self._unmeasured = ""
        self._time = self._log = self._smooth = False

    def compose(self) -> ComposeResult:
        yield Chart(id="accuracy", classes="curve")
        with Horizontal(id="small-charts"):
            for name in SMALL:
                yield Chart(id=name, classes="curve")

    def on_mount(self) -> None:
        titles = {"accuracy": "Accuracy", "loss": "Loss", "lr": "Learning rate", "signal": "Overfitting signal"}
        for name, title in titles.items():
            self.query_one(f"#{name}").border_title = title

    def show(self, runs: Sequence[Named], unmeasured: str = "measured after each epoch") -> None:
        """Draw these runs, the chosen one first; nothing is drawn again that has not changed.

        unmeasured: what is said in place of accuracies as long as there are none.
        """
        state = [(name, id(run), run.step, len(run.watch), len(run.alarms), run.attempt) for name, run in runs]
        if (state, unmeasured) != self._drawn:
            self._drawn, self._runs, self._unmeasured = (state, unmeasured), list(runs), unmeasured
            self._draw()

    def turn_x(self) -> None:
        """Between epochs and time."""
        self._time = not self._time
        self._draw()

    def turn_log(self) -> None:
        """Between a linear and a logarithmic loss axis."""
        self._log = not self._log
        self._draw()

    def turn_smooth(self) -> None:
        self._smooth = not self._smooth
        self._draw()

    def move(self, by: int) -> None:
        """Move the cursor of every chart to where that of the first goes."""
        accuracy = self.query_one("#accuracy", Chart)
        accuracy.action_move(by)
        for name in SMALL:
            self.query_one(f"#{name}", Chart).cursor = accuracy.cursor

    def _draw(self) -> None:
        chosen = self._runs[0][1] if self._runs else RunState()
        marks = tuple(Mark(self._x(alarm), "!", alarm.kind) for alarm in chosen.alarms) + self._phases(chosen)
        options = Options(x="time" if self._time else "epoch", marks=marks)
        accuracy = self.query_one("#accuracy", Chart)
        accuracy.options = replace(options, y="percent", empty=self._unmeasured)
        accuracy.series = [series for number, run in enumerate(self._runs) for series in self._accuracy(number, *run)]
        smoothing = SMOOTHING if self._smooth else 0.0
        self._draw_small("loss", lambda step: step.loss, replace(options, log_y=self._log, smoothing=smoothing))
        self._draw_small("lr", lambda step: step.lr, options)
        signal = replace(options, y="percent", threshold=_alarm_at(chosen), smoothing=smoothing)
        if chosen.steps:
            signal = replace(signal, empty="this method has none")
        self._draw_small("signal", lambda step: step.signal, signal)

    def _draw_small(self, name: str, figure: Callable[[Step], float | None], options: Options) -> None:
        chart = self.query_one(f"#{name}", Chart)
        chart.options = options
        chart.series = [self._figures(number, run, figure) for number, (_, run) in enumerate(self._runs)]

    def _figures(self, number: int, run: RunState, figure: Callable[[Step], float | None]) -> Series:
        known = [(self._x(step), value) for step in run.steps if (value := figure(step)) is not None]
        name = self._runs[number][0] if len(self._runs) > 1 else ""
        return Series(name=name, xs=[x for x, _ in known], ys=[y for _, y in known], look=2 * number, faint=number > 0)

    def _accuracy(self, number: int, name: str, run: RunState) -> list[Series]:
        xs = [self._x(point) for point in run.watch]
        attack = run.watch[-1].attack.upper() if run.watch else "robust"
        prefix = f"{name} " if len(self._runs) > 1 else ""
        clean = Series(name=f"{prefix}clean", xs=xs, ys=[point.clean for point in run.watch], look=2 * number)
        robust = Series(name=f"{prefix}{attack}", xs=xs, ys=[p.robust for p in run.watch], look=2 * number + 1)
        return [clean, robust]

    def _phases(self, run: RunState) -> tuple[Mark, ...]:
        """Where the phases after the first begin; in time, where they have begun."""
        stretches = run.timeline.stretches[1:] if run.timeline else ()
        if not self._time:
            return tuple(Mark(float(stretch.phase.begin), "▽", "phase") for stretch in stretches)
        begun = (next((s for s in run.steps if s.step > stretch.first_step), None) for stretch in stretches)
        return tuple(Mark(self._x(step), "▽", "phase") for step in begun if step)

    def _x(self, event: Step | Evaluated | Any) -> float:
        return float(event.elapsed if self._time else event.epoch)


def _alarm_at(run: RunState) -> Threshold | None:
    """Where the engine raises the alarm of the overfitting signal; runs of an older version do not say it."""
    signal = run.started.signal_threshold if run.started else None
    return None if signal is None else Threshold(signal, "alarm")
