"""Training while checkpoints are written: it goes on, waits where it must, and ends with the same numbers."""

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.data.memory import digits
from engine.protocol import events
from engine.protocol.files import WriteError
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from engine.training import checkpoint
from engine.training.checkpoint_writer import CheckpointWriter
from engine.training.updates import Updates
from engine.training.validation import Validation
from tests.support.engine import assert_same_end, of_kind, run_folder, weights
from tests.support.small_disk import small_disk
from tests.support.training import few_digits, train
from tests.support.waiting import seconds

FEW = {"batch_size": 40, "epochs": 2, "watch.images": 40, "watch.steps": 1, "eval.attack": "pgd-1-2", "eval.images": 40}
UPDATES_AN_EPOCH = 4


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "read", lambda folder: few_digits())


class SlowDisk:
    """A disk that takes its first `file` only when the training has come to a place, while that file is on its way.

    late: the file, as soon as the training has come there.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, file: str = "last.pt") -> None:
        self.late: list[str] = []
        self._begun, self._there = threading.Event(), threading.Event()
        self._patch, save = monkeypatch, checkpoint.save

        def slowly(path: Path, *rest: Any) -> int:
            if path.name == file and not self.late:
                self._begun.set()
                assert self._there.wait(seconds(10)), "the training does not come to the place before the file is there"
                self.late.append(path.name)
            return save(path, *rest)

        monkeypatch.setattr(checkpoint, "save", slowly)

    def until(self, owner: type, name: str, call: int = 1) -> None:
        """The place: the given call of a method, counted from 1."""
        whole, made = getattr(owner, name), iter(range(1, 10**6))

        def counted(*given: Any) -> Any:
            if next(made) == call:
                self._come()
            return whole(*given)

        self._patch.setattr(owner, name, counted)

    def until_waited_for(self) -> None:
        """The place: where the training waits for its files."""
        wait = CheckpointWriter.wait

        def waiting(writer: CheckpointWriter) -> None:
            if writer._writing is not None and not self._there.is_set():
                self._come()
            wait(writer)

        self._patch.setattr(CheckpointWriter, "wait", waiting)

    def _come(self) -> None:
        assert self._begun.wait(seconds(10)), "no file is on its way"
        self._there.set()


def test_the_next_epoch_trains_while_the_checkpoint_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, slow = run_folder(tmp_path / "whole", FEW), run_folder(tmp_path / "slow", FEW)
    train(whole)
    disk = SlowDisk(monkeypatch)
    disk.until(Updates, "update", UPDATES_AN_EPOCH + 3)
    train(slow)
    assert disk.late == ["last.pt"]
    assert_same_end(whole, slow)
    assert [(event.file, event.step) for event in of_kind(slow, events.Saved)] == [
        (file, UPDATES_AN_EPOCH * epoch) for epoch in (1, 2) for file in ("best.pt", "last.pt")
    ]


def test_the_final_evaluation_begins_while_the_end_of_training_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir, disk = run_folder(tmp_path / "run", FEW | {"epochs": 1}), SlowDisk(monkeypatch)
    disk.until(Validation, "final")
    train(rundir)
    assert disk.late == ["last.pt"]
    assert weights(rundir)["step"] == UPDATES_AN_EPOCH


@pytest.mark.parametrize(("looks", "step"), [(6, 4), (14, 8)], ids=["in an epoch", "in the final evaluation"])
def test_a_stop_waits_for_the_write_and_for_its_own_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int, step: int
) -> None:
    rundir, disk = run_folder(tmp_path / "run", FEW), SlowDisk(monkeypatch)
    disk.until_waited_for()
    with pytest.raises(Stopped):
        train(rundir, looks)
    assert of_kind(rundir, events.Saved)[-1].step == weights(rundir)["step"] == step
    assert not _writing_threads()
    train(rundir, attempt=2)
    assert weights(rundir)["step"] == 2 * UPDATES_AN_EPOCH


def _writing_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("checkpoints")]


CROPS = {"micro_batch": 16, "model.name": "preact-resnet18", "model.width": 2, "model.depth": 1}


def test_a_phase_begins_when_no_thread_is_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A phase of images in files forks processes at its beginning, and a GPU captures a step."""
    rundir = run_folder(tmp_path / "run", FEW | {"phases": "0-1:0/6:40 1-2:0/8:40"} | CROPS)
    seen, update = list[int](), Updates.update

    def looking(updates: Updates, batch: Any) -> None:
        seen.append(len(of_kind(rundir, events.Saved)))
        update(updates, batch)

    monkeypatch.setattr(Updates, "update", looking)
    disk = SlowDisk(monkeypatch)
    disk.until_waited_for()
    train(rundir)
    assert disk.late == ["last.pt"]
    assert seen == [0] * UPDATES_AN_EPOCH + [2] * UPDATES_AN_EPOCH


def test_early_stopping_waits_for_the_weights_that_it_restores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 3, "on_collapse": "stop"})
    reasons = iter(["robust accuracy fell"])
    monkeypatch.setattr(Validation, "_stop_reason", lambda *_: next(reasons))
    disk = SlowDisk(monkeypatch, "best.pt")
    disk.until_waited_for()
    train(rundir)
    assert disk.late == ["best.pt"]
    assert [event.step for event in of_kind(rundir, events.Saved) if event.file == "best.pt"] == [UPDATES_AN_EPOCH]
    assert weights(rundir)["ended_early"]


def test_a_disk_that_fills_up_ends_the_training_before_the_next_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, update = list[int](), Updates.update

    def counted(updates: Updates, batch: Any) -> None:
        update(updates, batch)
        trained.append(updates._learner.step)

    with small_disk(tmp_path / "tiny", "1m") as folder:
        rundir = run_folder(folder / "run", FEW | {"batch_size": 2, "watch.images": 0})
        ballast = folder / "ballast"
        with pytest.raises(Stopped):
            train(rundir, looks=2)
        before = _contents(rundir)
        ballast.write_bytes(bytes(shutil.disk_usage(folder).free - 12_000))  # room for events, not for a checkpoint
        monkeypatch.setattr(Updates, "update", counted)
        with pytest.raises(WriteError, match=r"^cannot write .*\.pt: No space left on device"):
            train(rundir, attempt=2)
        assert trained[-1] < 2 * 75  # not at the end of the second epoch, where the next checkpoint is due
        assert _contents(rundir) == before
        ballast.unlink()
        train(rundir, attempt=3)
        assert weights(rundir)["step"] == 2 * 75


def _contents(rundir: RunDir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in rundir.path.glob("*.pt")}
