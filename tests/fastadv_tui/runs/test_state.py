"""RunState and `apply` agree with the events."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.protocol.events import Alarm, AnyEvent, Event, Finished, Note, Progress, RolledBack, Saved
from fastadv_tui.runs.state import MAX_STEPS, RunState, apply, load
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import make_run


def state_after(*events: AnyEvent) -> RunState:
    state = RunState()
    for event in events:
        state = apply(state, event)
    return state


def test_the_state_of_a_fresh_run_is_empty() -> None:
    state = RunState()
    assert state.attempt == state.step == state.total_steps == 0
    assert state.last_step is None
    assert state.last_accuracy is None
    assert state.eta_seconds is None


def test_the_state_of_a_run_holds_the_curves_figures_and_ending_of_its_events() -> None:
    state = state_after(
        started(t=100.0),
        *[step(number) for number in range(1, 101)],
        evaluated(10),
        evaluated(10, "guard", split="train", robust=0.7),
        evaluated(100, "final", attack="pgd-50-10", robust=0.3),
        Saved(step=100, file="last.pt", bytes=7),
        Note(message="hello"),
        Finished(status="done", step=100, elapsed=100.0, t=250.0),
    )
    assert [point.step for point in state.steps] == list(range(1, 101))
    assert [point.robust for point in state.watch] == [0.4]
    assert [point.robust for point in state.guard] == [0.7]
    assert state.last_accuracy is state.final[-1]
    assert (state.step, state.epochs, state.elapsed) == (100, 10.0, 100.0)
    assert (state.begun, state.last_event) == (100.0, 250.0)
    assert [note.message for note in state.notes] == ["hello"]
    assert state.finished is not None
    assert state.eta_seconds is None


def test_the_training_time_of_a_run_is_known_after_its_end_and_follows_the_last_attempt() -> None:
    trained = started(), step(10, trained=7.0), evaluated(10, elapsed=11.0, trained=7.0)
    old = state_after(*trained, Finished(status="stopped", step=10, elapsed=12.0))  # of a version that did not write it
    assert (old.elapsed, old.trained) == (12.0, 7.0)
    new = state_after(*trained, Finished(status="stopped", step=10, elapsed=12.0, trained=7.5))
    assert new.trained == 7.5
    again = started(attempt=2, elapsed=0.5)
    assert apply(new, again).trained == 0.0


def test_a_new_attempt_drops_what_was_lost_after_its_checkpoint() -> None:
    first = [step(number) for number in range(1, 31)]
    lost = [evaluated(20), evaluated(30), Alarm(kind="overfitting", step=29, epoch=2.9, message="!")]
    state = state_after(started(), *first, *lost, Finished(status="stopped", step=30), started(attempt=2, from_step=20))
    assert [point.step for point in state.steps] == list(range(1, 21))
    assert [point.step for point in state.watch] == [20]
    assert state.alarms == []
    assert state.finished is None
    assert (state.attempt, state.step) == (2, 20)


def test_the_time_that_remains_is_known_after_two_steps_and_counts_the_evaluations() -> None:
    state = state_after(started(total_steps=1000), step(1, elapsed=1.0))
    assert state.eta_seconds is None
    state = apply(state, step(11, elapsed=6.0))
    assert state.eta_seconds == pytest.approx(989 * 0.5)
    state = apply(state, evaluated(11, elapsed=16.0))
    state = apply(state, step(21, elapsed=21.0))
    assert state.eta_seconds == pytest.approx(979 * 20 / 20)


def test_the_time_that_remains_of_a_resumed_run_follows_its_present_speed() -> None:
    slow = [step(number, elapsed=100.0 * number) for number in range(1, 11)]
    state = state_after(started(total_steps=1000), *slow, started(attempt=2, from_step=10, total_steps=1000))
    assert state.eta_seconds is None
    for number in range(11, 21):
        state = apply(state, step(number, elapsed=1000.0 + number - 10))
    assert state.eta_seconds == pytest.approx(980.0)


def test_the_progress_of_an_evaluation_disappears_when_the_evaluation_ends() -> None:
    state = state_after(started(), Progress(attack="pgd-50-10", done=3, total=10))
    assert state.progress is not None
    assert apply(state, evaluated(100, "final")).progress is None


def test_a_clock_that_jumps_back_and_steps_out_of_order_are_ignored() -> None:
    state = state_after(started(t=1000.0), step(2, t=1001.0), step(1, t=5.0), step(3, t=4.0), step(3, t=6.0))
    assert [point.step for point in state.steps] == [2, 3]
    assert state.last_event == 1001.0


ROLLED_BACK = RolledBack(step=30, epoch=3.0, to_step=20, to_epoch=2.0, number=1, message="pgd, then nfgsm")


def test_a_rollback_drops_what_it_undoes_and_answers_the_alarms() -> None:
    alarms = [
        Alarm(kind="overfitting", step=15, epoch=1.5, message="!"),
        Alarm(kind="collapse", step=30, epoch=3.0, message="!"),
    ]
    trained = [step(number) for number in range(1, 31)]
    state = state_after(
        started(), *trained, evaluated(20), evaluated(30), *alarms, Saved(step=30, file="", bytes=1), ROLLED_BACK
    )
    assert [point.step for point in state.steps] == list(range(1, 21))
    assert [point.step for point in state.watch] == [20]
    assert state.alarms == []
    assert state.rollbacks == [ROLLED_BACK]
    assert (state.step, state.epochs) == (20, 2.0)
    state = apply(state, step(21))
    assert (state.step, state.last_step) == (21, step(21))


def test_a_resumed_run_keeps_the_rollbacks_of_its_checkpoint_alone() -> None:
    before = [started(), *(step(number) for number in range(1, 31)), ROLLED_BACK, step(21), step(22)]
    after = state_after(*before, started(attempt=2, from_step=22, rollbacks=1))
    assert after.rollbacks == [ROLLED_BACK]
    assert after.step == 22
    assert state_after(*before, started(attempt=2, from_step=22)).rollbacks == []  # the checkpoint is from before it
    again = state_after(*before, started(attempt=2, from_step=22, rollbacks=1), ROLLED_BACK)
    assert (again.step, len(again.rollbacks)) == (20, 2)


EVENTS = [
    started(),
    ROLLED_BACK,
    started(attempt=2, from_step=3),
    started(attempt=-1, from_step=-5, total_steps=0, steps_per_epoch=0),
    *[step(number, elapsed=elapsed) for number, elapsed in ((-1, -1.0), (0, 0.0), (1, 9.0), (5, 1.0), (10**12, 1e300))],
    *[evaluated(number, stage) for number in (-1, 0, 7) for stage in ("watch", "guard", "final")],
    Alarm(kind="collapse", step=4, epoch=0.4, message="m"),
    Saved(step=8, file="", bytes=0),
    Progress(attack="", done=5, total=0),
    Note(message="\x1b[31m"),
    Finished(status="failed", error="x"),
]


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_events_in_any_order_never_raise_and_curves_stay_in_order(events: list[Event]) -> None:
    state = state_after(*events)  # type: ignore[arg-type]
    assert state.step >= 0
    assert state.eta_seconds is None or state.eta_seconds >= 0
    for curve in (state.steps, state.watch, state.guard):
        numbers = [point.step for point in curve]  # type: ignore[attr-defined]
        assert numbers == sorted(set(numbers))
    assert (state.epochs, state.last_accuracy, state.total_steps) is not None


def test_loading_a_state_reads_the_whole_lines_and_skips_the_others(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rundir = make_run(tmp_path / "run")
    assert load(rundir).started is None
    write_events(rundir, started(), step(1))
    with rundir.events.open("ab") as file:
        file.write(b'{"type":"of-a-later-version"}\n\xff\xfe\n[1,2]\n\n{"type":"step","st')
    state = load(rundir)
    assert [point.step for point in state.steps] == [1]
    write_events(rundir, step(2))
    assert [point.step for point in load(rundir).steps] == [1, 2]


def test_a_state_followed_live_agrees_with_one_read_at_once(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rundir = make_run(tmp_path / "run")
    shuffled = random.Random(0).choices(EVENTS, k=200)
    live = RunState()
    for event in shuffled:
        write_events(rundir, event)  # type: ignore[arg-type]
        live = apply(live, event)  # type: ignore[arg-type]
    assert load(rundir) == live


def test_the_time_that_remains_leaves_out_the_slow_first_steps() -> None:
    """Three steps of half a second each, then ten steps a second: 880 steps take 88 seconds."""
    slow = [step(n, n / 2) for n in range(1, 4)]
    quick = [step(3 + n, 1.5 + n / 10) for n in range(1, 118)]
    assert state_after(started(total_steps=1000), *slow).eta_seconds is None
    assert state_after(started(total_steps=1000), *slow, *quick).eta_seconds == pytest.approx(88.0)


def test_steps_of_many_seconds_have_an_estimate_from_the_second_on() -> None:
    assert state_after(started(total_steps=10), step(1, 6.0), step(2, 12.0)).eta_seconds == pytest.approx(48.0)


def test_a_run_of_days_keeps_a_bounded_number_of_points_over_all_its_length() -> None:
    state = state_after(started(total_steps=10**6), *(step(n) for n in range(1, 30_001)))
    assert len(state.steps) <= MAX_STEPS
    kept = [point.step for point in state.steps]
    assert (kept[0], kept[-1]) == (1, 30_000)
    assert kept == sorted(set(kept))
    assert max(later - earlier for earlier, later in itertools.pairwise(kept)) <= 16


def test_a_run_of_days_keeps_the_peak_of_its_learning_rate_and_single_spikes_of_its_loss() -> None:
    peak, spike, count = 9_003, 1_234, 30_000
    steps = [
        replace(step(n), lr=n / peak if n <= peak else (count - n) / (count - peak), loss=99.0 if n == spike else 1.0)
        for n in range(1, count + 1)
    ]
    state = state_after(started(total_steps=count), *steps)
    assert len(state.steps) <= MAX_STEPS
    assert max((point.lr, point.step) for point in state.steps) == (1.0, peak)
    assert max((point.loss, point.step) for point in state.steps) == (99.0, spike)
