"""The times of a run: `trained` without evaluations, `elapsed` with them, over all attempts."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from engine.training.updates import Updates
from engine.training.validation import Validation
from tests.support.engine import of_kind, run_folder
from tests.support.training import train

FEW = {"batch_size": 500, "epochs": 3, "watch.images": 10, "watch.steps": 1, "model.width": 8, "eval.images": 20}
UPDATES, EPOCHS = 9, 3


class Clock:
    """A clock that moves only while a function runs: by as many seconds as the test gives it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self._patch = 1000.0, monkeypatch
        monkeypatch.setattr("engine.training.reporter.time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr("engine.protocol.files.os.fsync", lambda handle: None)

    def slow(self, owner: type, name: str, seconds: float) -> None:
        whole: Callable[..., Any] = getattr(owner, name)

        def slowly(*given: Any) -> Any:
            self.now += seconds
            return whole(*given)

        self._patch.setattr(owner, name, slowly)


def _last(rundir: RunDir) -> events.AnyEvent:
    return [*event_log.read(rundir.events)][-1]


def test_training_time_is_that_of_the_updates_and_elapsed_has_the_evaluations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    clock.slow(Updates, "update", 2)
    clock.slow(Validation, "after_epoch", 100)
    rundir = run_folder(tmp_path / "run", FEW)
    train(rundir)
    last = _last(rundir)
    assert (last.trained, last.elapsed) == (2 * UPDATES, 2 * UPDATES + 100 * EPOCHS)
    assert [event.trained for event in of_kind(rundir, events.Evaluated) if event.stage == "watch"] == [6, 12, 18]


def test_both_times_go_on_in_a_second_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    clock.slow(Updates, "update", 2)
    clock.slow(Validation, "after_epoch", 100)
    rundir = run_folder(tmp_path / "run", FEW)
    with pytest.raises(Stopped):
        train(rundir, looks=2)  # in the first epoch
    clock.now += 10_000  # between the attempts
    train(rundir, attempt=2)
    last = _last(rundir)
    assert (last.trained, last.elapsed) == (2 * UPDATES, 2 * UPDATES + 100 * EPOCHS)


def test_the_time_of_a_final_evaluation_that_was_stopped_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its progress is kept without a checkpoint of the training."""
    clock = Clock(monkeypatch)
    clock.slow(Updates, "update", 2)
    rundir = run_folder(tmp_path / "run", FEW)
    final = Validation.final

    def stopped(self: Validation, check_stop: Callable[[], None]) -> None:
        clock.now += 50
        self._reporter.emit(events.Progress(attack="pgd", done=1, total=2))
        raise Stopped

    monkeypatch.setattr(Validation, "final", stopped)
    with pytest.raises(Stopped):
        train(rundir)
    monkeypatch.setattr(Validation, "final", final)
    train(rundir, attempt=2)
    assert _last(rundir).elapsed == 2 * UPDATES + 50
