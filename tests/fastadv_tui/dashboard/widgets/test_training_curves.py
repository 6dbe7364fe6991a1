"""The charts of a run: what they draw from its events, and which of them have room."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from engine.protocol.events import Alarm, Finished, RolledBack
from fastadv_tui.dashboard.chart.series import LINE, Mark, Threshold
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.widgets.metrics import METRICS, known
from fastadv_tui.dashboard.widgets.training_curves import ChartedRun, TrainingCurves
from fastadv_tui.hardware.sample_history import HOST, SampleHistory
from fastadv_tui.hardware.sampler import Host, Sample
from fastadv_tui.runs.state import RunState, apply
from tests.support.events import evaluated, started, step

Scenario = Callable[[TrainingCurves, Pilot[None]], Awaitable[None]]


class Holder(App[None]):
    samples = SampleHistory()

    def compose(self) -> ComposeResult:
        yield TrainingCurves(known(["loss", "signal", "lr"]), self.samples)


def watch(scenario: Scenario, size: tuple[int, int] = (120, 40)) -> None:
    async def main() -> None:
        app = Holder()
        async with app.run_test(size=size) as pilot:
            await scenario(app.query_one(TrainingCurves), pilot)

    asyncio.run(main())


def charted(state: RunState, look: int = 0, live: bool = True) -> ChartedRun:
    return ChartedRun("run", state, look, LINE, live)


def trained(*events: object, steps: int = 30) -> RunState:
    state = RunState()
    for event in (started(total_steps=100, steps_per_epoch=10), *(step(n) for n in range(1, steps + 1)), *events):
        state = apply(state, event)  # type: ignore[arg-type]
    return state


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        (RunState(started=started(signal_threshold=0.2)), Threshold(0.2, "alarm 20%")),
        (RunState(started=started()), None),
        (RunState(), None),
    ],
    ids=["its own", "none in its events", "no event yet"],
)
def test_the_alarm_is_drawn_where_the_chosen_run_raises_it(chosen: RunState, line: Threshold | None) -> None:
    async def scenario(curves: TrainingCurves, pilot: Pilot[None]) -> None:
        marked = RunState(started=started(signal_threshold=0.9))
        curves.show([charted(chosen), charted(marked, look=1)])
        assert curves.query_one("#signal", Chart).options.threshold == line

    watch(scenario)


def test_the_axis_of_a_live_run_ends_where_the_run_will_end() -> None:
    async def scenario(curves: TrainingCurves, pilot: Pilot[None]) -> None:
        state = trained()
        curves.show([charted(state)])
        assert [chart.options.x_range for chart in curves.charts] == [(0.0, 10.0)] * 4
        curves.show([charted(state, live=False)])
        assert [chart.options.x_range for chart in curves.charts] == [(0.0, 3.0)] * 4

    watch(scenario)


def test_the_legend_says_which_line_is_which() -> None:
    async def scenario(curves: TrainingCurves, pilot: Pilot[None]) -> None:
        curves.show([charted(trained(evaluated(10, clean=0.3, robust=0.2)))])
        accuracy = curves.query_one("#accuracy", Chart)
        assert accuracy.options.pair == "clean ─ / PGD-10 ┄"
        assert [series.dotted for series in accuracy.series] == [False, True]

    watch(scenario)


def test_the_heading_and_the_title_name_the_attacks_of_the_curve_and_of_the_final_evaluation() -> None:
    """Both accuracies are called robust elsewhere, and they differ by some points."""

    async def scenario(curves: TrainingCurves, pilot: Pilot[None]) -> None:
        accuracy = curves.query_one("#accuracy", Chart)
        last = evaluated(100, "final", clean=0.8, robust=0.4, attack="pgd-50-10")
        one = charted(trained(evaluated(50, robust=0.45), last))
        curves.show([one])
        assert accuracy.options.pair == "clean ─ / PGD-10 ┄, ◎ PGD-50-10"
        assert accuracy.border_title == "Accuracy · epoch · PGD-10"
        assert accuracy.series[-1].sign == "◎"
        others = evaluated(50, attack="pgd-20"), evaluated(100, "final", attack="aa-quick")
        curves.show([one, charted(trained(*others), look=1)])
        assert accuracy.options.pair == "clean ─ / robust ┄, ◎ final"
        assert accuracy.border_title == "Accuracy · epoch"

    watch(scenario)


def test_the_final_evaluation_is_a_point_of_its_own_with_the_name_of_its_attack() -> None:
    async def scenario(curves: TrainingCurves, pilot: Pilot[None]) -> None:
        last = evaluated(100, "final", clean=0.8, robust=0.4, attack="pgd-50-10")
        curves.show([charted(trained(evaluated(50, robust=0.45), last), look=3)])
        clean, robust, final = curves.query_one("#accuracy", Chart).series
        assert (clean.dotted, robust.dotted, final.points) == (False, True, True)
        assert (list(final.ys), final.tag) == ([0.4], "PGD-50-10")
        assert {series.look for series in (clean, robust, final)} == {3}

    watch(scenario)


def test_alarms_resumes_and_titles_are_shown() -> None:
    async def scenario(curves: TrainingCurves, pilot: Pilot[None]) -> None:
        state = trained(Alarm(kind="collapse", step=20, epoch=2.0, message=""))
        for event in (Finished(status="stopped", step=30), started(attempt=2, from_step=25, total_steps=100), step(26)):
            apply(state, event)
        curves.show([charted(state)])
        marks = curves.query_one("#loss", Chart).options.marks
        assert Mark(2.0, "!", "collapse") in marks
        assert [mark.label for mark in marks].count("resumed") == 1
        curves.toggle_log()
        curves.toggle_smooth()
        curves.toggle_x()
        titles = [str(chart.border_title) for chart in curves.charts]
        assert titles == [
            "Accuracy · training time",
            "Loss · log · smoothed",
            "Overfitting signal · smoothed",
            "Learning rate",
        ]

    watch(scenario)


def test_a_rollback_is_marked_where_training_went_on() -> None:
    async def scenario(curves: TrainingCurves, pilot: Pilot[None]) -> None:
        state = trained(RolledBack(step=30, epoch=3.0, to_step=20, to_epoch=2.0, number=1, message=""))
        curves.show([charted(state)])
        assert Mark(2.0, "↶", "rolled back") in curves.query_one("#accuracy", Chart).options.marks

    watch(scenario)


def test_small_charts_appear_as_room_allows_and_the_others_are_counted() -> None:
    async def scenario(curves: TrainingCurves, pilot: Pilot[None]) -> None:
        await curves.set_metrics(list(METRICS.values()))
        for width, height in ((40, 18), (60, 30), (120, 40), (200, 60)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            shown = [chart for chart in curves.charts[1:] if chart.size.width]
            hidden = len(METRICS) - len(shown)
            assert all(chart.size.width >= 18 and chart.size.height >= 5 for chart in shown)
            said = str(curves.query_one("#accuracy", Chart).border_subtitle or "")
            assert said == (f"{hidden} more chart{'s' * (hidden > 1)}: z, tab" if hidden else "")

    watch(scenario)


def test_the_load_of_the_device_is_drawn_over_the_epochs_of_the_run() -> None:
    async def scenario(curves: TrainingCurves, pilot: Pilot[None]) -> None:
        await curves.set_metrics(known(["device_utilisation", "device_memory"]))
        state = trained(steps=0)
        for number in range(1, 31):
            apply(state, step(number, t=1000.0 + number, epoch=number / 10))
        for t, cpu in ((900.0, 0.1), (1005.5, 0.5), (1020.0, 0.7), (2000.0, 0.9)):
            host = Host(cores=2, cpu=cpu, memory_used=1, memory_total=4)
            Holder.samples.add(Sample(t=t, host=host))
        curves.show([replace(charted(state), device=HOST), charted(state, look=1)])
        used, _ = curves.query_one("#device_utilisation", Chart).series
        assert (list(used.xs), list(used.ys)) == ([0.5, 2.0], [0.5, 0.7])
        assert list(curves.query_one("#device_memory", Chart).series[0].ys) == [0.25, 0.25]

    watch(scenario)


def test_every_metric_draws_the_figures_of_the_events() -> None:
    async def scenario(curves: TrainingCurves, pilot: Pilot[None]) -> None:
        await curves.set_metrics(list(METRICS.values()))
        state = trained(
            evaluated(10, "guard", clean=0.7, robust=0.3),
            evaluated(20, clean=0.6, robust=0.2, images=50, without_gradient=5),
        )
        curves.show([charted(state)])
        drawn = {str(chart.id): list(chart.series[0].ys) for chart in curves.charts[1:]}
        assert drawn["loss"] == [event.loss for event in state.steps]
        assert drawn["images_per_second"] == [event.images_per_second for event in state.steps]
        assert (drawn["guard_clean"], drawn["guard_robust"], drawn["without_gradient"]) == ([0.7], [0.3], [0.1])

    watch(scenario)
