"""What stands of the events of a run, held to the state that every display uses."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.protocol.events import RolledBack
from fastadv_tui.runs.standing import standing
from fastadv_tui.runs.state import RunState, apply
from tests.support.events import evaluated, started, step

NUMBERS = st.integers(1, 20)


def rolled_back(to_step: int) -> RolledBack:
    return RolledBack(step=20, epoch=2.0, to_step=to_step, to_epoch=1.0, number=1, message="")


EVENT = st.one_of(
    st.builds(step, NUMBERS, loss=st.floats(0, 9)),
    st.builds(evaluated, NUMBERS, st.sampled_from(["watch", "guard"]), robust=st.floats(0, 1)),
    st.builds(started, st.just(2), st.integers(0, 20)),
    st.builds(rolled_back, st.integers(0, 20)),
)


@given(st.lists(EVENT, max_size=30))
def test_it_is_what_the_state_of_the_run_keeps(events: list[Any]) -> None:
    state = RunState()
    for event in events:
        apply(state, event)
    found = standing(events)
    assert found.steps == state.steps
    assert [each for each in found.evaluations if each.stage == "watch"] == state.watch
    assert [each for each in found.evaluations if each.stage == "guard"] == state.guard


def test_a_resumed_run_has_the_final_evaluation_of_its_last_attempt() -> None:
    events = [
        started(),
        step(10),
        evaluated(10, "final", robust=0.1),
        started(2, 10),
        evaluated(10, "final", robust=0.2),
    ]
    assert [each.robust for each in standing(events).evaluations] == [0.2]


def test_every_step_of_a_long_run_stands() -> None:
    assert len(standing(step(number) for number in range(1, 20_001)).steps) == 20_000
