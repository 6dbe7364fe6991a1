"""The charts of a run: what they draw from its events."""

import asyncio

import pytest
from textual.app import App, ComposeResult

from fastadv_tui.dashboard.chart.series import Threshold
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.widgets.training_curves import TrainingCurves
from fastadv_tui.runs.state import RunState
from tests.support.events import started


class Holder(App[None]):
    def compose(self) -> ComposeResult:
        yield TrainingCurves()


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        (RunState(started=started(signal_threshold=0.2)), Threshold(0.2, "alarm")),
        (RunState(started=started()), None),
        (RunState(), None),
    ],
    ids=["its own", "none in its events", "no event yet"],
)
def test_the_alarm_is_drawn_where_the_chosen_run_raises_it(chosen: RunState, line: Threshold | None) -> None:
    async def main() -> None:
        app = Holder()
        async with app.run_test():
            marked = RunState(started=started(signal_threshold=0.9))
            app.query_one(TrainingCurves).show([("chosen", chosen), ("marked", marked)])
            assert app.query_one("#signal", Chart).options.threshold == line

    asyncio.run(main())
