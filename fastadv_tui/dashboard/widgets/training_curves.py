"""The charts of the chosen and the marked runs: accuracy above; loss, learning rate, overfitting signal below."""

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
SMALL_CHARTS = ("loss", "lr", "signal")


class TrainingCurves(Vertical):
    """Four charts with the same x axis: epochs or training time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._runs: Sequence[Named] = ()
        self._drawn: Any = None
        self._no_accuracy = ""
        self._time = self._log = self._smooth = False

    def compose(self) -> ComposeResult:
        yield Chart(id="accuracy", classes="curve")
        with Horizontal(id="small-charts"):
            for name in SMALL_CHARTS:
                yield Chart(id=name, classes="curve")

    def on_mount(self) -> None:
        titles = {"accuracy": "Accuracy", "loss": "Loss", "lr": "Learning rate", "signal": "Overfitting signal"}
        for name, title in titles.items():
            self.query_one(f"#{name}").border_title = title

    def show(self, runs: Sequence[Named], no_accuracy: str = "measured after each epoch") -> None:
        """Draw the runs if they have changed. runs: names and states, the chosen run first.

        no_accuracy: the text of the accuracy chart as long as there is no accuracy.
        """
        state = [(name, id(run), run.step, len(run.watch), len(run.alarms), run.attempt) for name, run in runs]
        if (state, no_accuracy) != self._drawn:
            self._drawn, self._runs, self._no_accuracy = (state, no_accuracy), list(runs), no_accuracy
            self._draw()

    def toggle_x(self) -> None:
        """Switch the x axis between epochs and training time."""
        self._time = not self._time
        self._draw()

    def toggle_log(self) -> None:
        """Switch the y axis of the loss between linear and logarithmic."""
        self._log = not self._log
        self._draw()

    def toggle_smooth(self) -> None:
        self._smooth = not self._smooth
        self._draw()

    def move(self, by: int) -> None:
        """Move the cursor of the accuracy chart, and put the cursors of the other charts at the same x."""
        accuracy = self.query_one("#accuracy", Chart)
        accuracy.action_move(by)
        for name in SMALL_CHARTS:
            self.query_one(f"#{name}", Chart).cursor = accuracy.cursor

    def _draw(self) -> None:
        chosen = self._runs[0][1] if self._runs else RunState()
        marks = tuple(Mark(self._x(alarm), "!", alarm.kind) for alarm in chosen.alarms) + self._phases(chosen)
        options = Options(x="time" if self._time else "epoch", marks=marks)
        accuracy = self.query_one("#accuracy", Chart)
        accuracy.options = replace(options, y="percent", empty=self._no_accuracy)
        accuracy.series = [series for number, run in enumerate(self._runs) for series in self._accuracy(number, *run)]
        smoothing = SMOOTHING if self._smooth else 0.0
        self._draw_small("loss", lambda step: step.loss, replace(options, log_y=self._log, smoothing=smoothing))
        self._draw_small("lr", lambda step: step.lr, options)
        signal = replace(options, y="percent", threshold=_alarm_threshold(chosen), smoothing=smoothing)
        if chosen.steps:
            signal = replace(signal, empty="method has no signal")
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
        """Marks where the phases after the first begin. On a time axis, only phases that have begun have marks."""
        stretches = run.timeline.stretches[1:] if run.timeline else ()
        if not self._time:
            return tuple(Mark(float(stretch.phase.begin), "▽", "phase") for stretch in stretches)
        begun = (next((s for s in run.steps if s.step > stretch.first_step), None) for stretch in stretches)
        return tuple(Mark(self._x(step), "▽", "phase") for step in begun if step)

    def _x(self, event: Step | Evaluated | Any) -> float:
        return float(event.elapsed if self._time else event.epoch)


def _alarm_threshold(run: RunState) -> Threshold | None:
    """The overfitting signal at which the engine raises the alarm. Runs of older versions did not record it."""
    signal = run.started.signal_threshold if run.started else None
    return None if signal is None else Threshold(signal, "alarm")
