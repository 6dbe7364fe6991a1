"""Runs of many hours: few lines of events, and the remaining time over phases of different speed."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.config.phases import Phase
from engine.plan.timeline import ScheduledPhase, Timeline
from engine.protocol.events import AnyEvent, Step
from engine.training import reporter
from engine.training.alarm import Watchdog
from fastadv_tui.runs.state import RunState, apply
from tests.support.events import started, step

HOURS = 3600.0
ONE_PHASE = Timeline([ScheduledPhase(Phase(0, 15), 0, 100_000)])


class Clock:
    """A stand-in for the module `time`. The test moves the clock."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_run_of_twelve_hours_writes_at_most_20_000_steps_and_many_in_its_first_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, lines = Clock(), []
    monkeypatch.setattr(reporter, "time", clock)
    figures = {"figures": lambda: (1.0, 0.5, 0.01), "scaler": SimpleNamespace(skipped_updates=lambda: 0)}
    learner: Any = SimpleNamespace(step=0, last_lr=0.1, device=torch.device("cpu"), **figures)
    writer: Any = SimpleNamespace(write=lambda event: lines.append(event))
    told = reporter.Reporter(writer, learner, ONE_PHASE, Watchdog(10), has_signal=True)
    first_minute = 0
    tick = told.ticker("pgd-50-10")
    while clock.now < 12 * HOURS:
        clock.now += 0.25
        learner.step += 1
        if clock.now < 10 * HOURS:
            told.updated(128)
        else:
            tick(learner.step, 10**9)
        first_minute = first_minute if clock.now > 60 else len(lines)
    assert first_minute >= 110
    assert len(lines) <= 20_000
    gaps = [after.elapsed - before.elapsed for before, after in itertools.pairwise(lines)]
    assert max(gaps) < 5.0  # a viewer would call a silent run stalled


def test_a_few_unreadable_images_are_named_and_many_are_counted() -> None:
    lines: list[Any] = []
    learner: Any = SimpleNamespace(step=0)
    writer: Any = SimpleNamespace(write=lines.append)
    told = reporter.Reporter(writer, learner, ONE_PHASE, Watchdog(10), has_signal=True)
    for count in range(1, 1001):
        told.unreadable({f"{number:04d}.jpg" for number in range(count)}, "it counts as wrong")
    messages = [line.message for line in lines]
    assert messages[:2] == [f"000{n}.jpg cannot be read as an image: it counts as wrong" for n in (0, 1)]
    assert sum("as an image" in message for message in messages) == 20
    assert [message.split()[0] for message in messages[20:]] == ["40", "80", "160", "320", "640"]


def state_after(*events: AnyEvent) -> RunState:
    state = RunState()
    for event in events:
        state = apply(state, event)
    return state


def test_the_time_that_remains_counts_what_later_phases_compute() -> None:
    """10 epochs of 10 updates of 1 s each, then 10 epochs of 20 updates that take three times as long each."""
    stretches = (ScheduledPhase(Phase(0, 10), 0, 10, flops=100), ScheduledPhase(Phase(10, 20), 100, 20, flops=600))
    began = started(total_steps=300, steps_per_epoch=10, stretches=stretches)
    steps: list[Step] = [step(n, elapsed=float(n)) for n in range(1, 51)]
    state = state_after(began, *steps)
    assert (state.epochs, state.total_epochs) == (5.0, 20)
    assert state.eta_seconds == pytest.approx(50 + 200 * 3)
    later = [step(100 + n, elapsed=100.0 + 4 * n) for n in range(1, 21)]  # slower than the forecast
    state = state_after(began, *steps, *later)
    assert state.epochs == 11.0
    assert state.eta_seconds == pytest.approx(180 * 4)


def test_events_written_before_there_were_phases_are_read_as_one_phase() -> None:
    state = state_after(started(total_steps=100, steps_per_epoch=10), step(25, elapsed=5.0))
    assert (state.epochs, state.total_epochs) == (2.5, 10)
