"""The time axis of the charts has the training time that tables and figures have."""

from fastadv_tui.dashboard.widgets.training_axis import TrainingAxis
from fastadv_tui.runs.state import RunState, apply
from tests.support.events import started, step


def test_the_time_is_that_of_the_epochs_alone_and_ends_where_the_run_does() -> None:
    state = RunState()
    for event in (
        started(total_steps=100),
        step(10, elapsed=60.0, trained=20.0),
        step(100, elapsed=105.0, trained=38.0),
    ):
        apply(state, event)
    axis = TrainingAxis(time=True)
    assert [axis.x_of(event) for event in state.steps] == [20.0, 38.0]
    assert axis.planned_end(state, live=False) == 38.0


def test_files_of_older_versions_have_the_time_with_evaluations() -> None:
    state = RunState()
    for event in (started(total_steps=100), step(10, elapsed=60.0)):
        apply(state, event)
    assert TrainingAxis(time=True).x_of(state.steps[0]) == 60.0
    assert TrainingAxis(time=True).planned_end(state, live=False) == 60.0


def test_epochs_do_not_depend_on_the_time() -> None:
    event = step(10, elapsed=60.0, trained=20.0)
    assert TrainingAxis(time=False).x_of(event) == event.epoch
