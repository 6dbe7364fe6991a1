"""Events of a training that another thread reports, too: whole lines, in the order of their times."""

import itertools
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.config.phases import Phase
from engine.plan.timeline import ScheduledPhase, Timeline
from engine.protocol import event_log, events
from engine.training.alarm import Watchdog
from engine.training.reporter import Reporter

ROUNDS = 2000


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns as often as Python can let them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_two_threads_report_whole_lines_in_the_order_of_their_times(tmp_path: Path) -> None:
    learner: Any = SimpleNamespace(
        step=0, device=torch.device("cpu"), scaler=SimpleNamespace(skipped_updates=lambda: 0)
    )
    timeline, over = Timeline([ScheduledPhase(Phase(0, 15), 0, 100_000)]), threading.Event()
    with event_log.Writer(tmp_path / "events.jsonl") as writer:
        reporter = Reporter(writer, learner, timeline, Watchdog(10), has_signal=True)

        def report() -> None:
            for step in range(ROUNDS):
                reporter.emit(events.Saved(step=step, file="last.pt", bytes=1))
            over.set()

        thread = threading.Thread(target=report)
        thread.start()
        epochs = 0
        while not over.is_set():
            reporter.start_epoch()
            reporter.end_epoch()
            reporter.emit(events.Note(message="epoch"))
            epochs += 1
        thread.join()
    found = [*event_log.read(tmp_path / "events.jsonl")]
    assert [event.step for event in found if isinstance(event, events.Saved)] == [*range(ROUNDS)]
    assert len(found) == ROUNDS + epochs
    for before, after in itertools.pairwise(found):
        assert before.elapsed <= after.elapsed
        assert before.trained <= after.trained <= after.elapsed
