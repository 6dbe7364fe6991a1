"""The lines of a run's log: each event with its time, and the ends of earlier attempts among them."""

import time

import pytest

from engine.protocol.events import Finished
from fastadv_tui.runs.log_lines import end_lines, event_lines, waiting_line
from fastadv_tui.runs.state import RunState, apply
from fastadv_tui.runs.status import RunStatus
from tests.support.events import started, step

NOON = time.mktime((2026, 11, 27, 12, 0, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("finished", "words"),
    [
        (Finished(status="stopped", step=20, t=NOON + 60), "stopped"),
        (Finished(status="failed", step=20, error="out of memory", t=NOON + 60), "failed: out of memory"),
    ],
)
def test_a_resumed_run_keeps_the_end_of_each_earlier_attempt_between_its_starts(finished: Finished, words: str) -> None:
    state = RunState()
    for event in (started(t=NOON), finished, started(attempt=2, from_step=20, t=NOON + 120)):
        state = apply(state, event)
    lines = event_lines(state)
    assert lines[0].startswith("11-27 12:00:00 ")
    assert "training and" in lines[0]
    assert lines[1] == f"11-27 12:01:00 {words}"
    assert lines[2].startswith("11-27 12:02:00 resumed from step 20 (attempt 2)")


def test_a_resumed_run_that_was_killed_has_a_line_for_that_end() -> None:
    state = RunState()
    for event in (started(t=NOON), step(20, t=NOON + 60), started(attempt=2, from_step=10, t=NOON + 120)):
        state = apply(state, event)
    assert event_lines(state)[1] == "11-27 12:01:00 stopped: killed, or its process died"
    assert state.finished is None


def test_the_line_of_an_end_is_the_same_before_and_after_the_run_goes_on() -> None:
    """So that a panel, which appends lines, does not tell the same end twice."""
    finished = Finished(status="stopped", step=20, t=NOON)
    before = end_lines(RunStatus(status="stopped", ended=NOON))
    state = RunState()
    for event in (started(t=NOON - 9), finished, started(attempt=2, from_step=20, t=NOON + 9)):
        state = apply(state, event)
    assert before == ["11-27 12:00:00 stopped"]
    assert before[0] in event_lines(state)


def test_a_run_that_waits_says_where_and_why() -> None:
    assert waiting_line(RunStatus(status="queued"), 2) == "waits in the queue, place 2"
    assert waiting_line(RunStatus(status="queued", reason="queue paused"), None) == "waits in the queue: queue paused"
