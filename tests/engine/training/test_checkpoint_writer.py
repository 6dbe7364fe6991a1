"""Checkpoints that a thread writes: of one moment, in order, one at a time, with every error told."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config.presets import build
from engine.protocol import events
from engine.protocol.files import WriteError
from engine.protocol.stop import Stopped
from engine.runtime.host_copy import HostCopy, copy_to_host
from engine.training import checkpoint
from engine.training.checkpoint_writer import CheckpointFile, CheckpointWriter
from tests.support.networks import CPU, digits_model
from tests.support.small_disk import small_disk
from tests.support.waiting import seconds, wait_until

CONFIG = build("digits", {"model.width": 4})
TIMEOUT = seconds(30)  # a test that takes so long has failed


class Gate:
    """A disk that takes no file until the gate opens. waiting: set when a file waits there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting, self._open = threading.Event(), threading.Event()
        self.in_flight = self.most = 0
        monkeypatch.setattr("engine.protocol.files._RecordingWriter.save", lambda file: self._save(file))

    def open(self) -> None:
        self._open.set()

    def _save(self, file: Any) -> None:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        self.waiting.set()
        assert self._open.wait(TIMEOUT)
        file.flush()
        self.in_flight -= 1


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.open()  # also when the test has failed: its thread must end


def new_writer(emit: Callable[[events.AnyEvent], None] = lambda event: None) -> CheckpointWriter:
    return CheckpointWriter(CONFIG, CPU, emit)


def state(step: int) -> dict[str, Any]:
    return {"model": digits_model(seed=step).state_dict(), "step": step, "watchdog": {"best": {"watch": 0.5}}}


def test_a_file_has_the_bytes_that_are_written_without_a_thread(tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "last.pt", tmp_path / "other" / "last.pt"
    one.parent.mkdir()
    other.parent.mkdir()
    checkpoint.save(one, CONFIG, state(3))
    with new_writer() as writer:
        writer.write(3, CheckpointFile(other, state(3)))
    assert other.read_bytes() == one.read_bytes()


def test_files_hold_the_state_of_the_moment_when_they_were_asked_for(tmp_path: Path, gate: Gate) -> None:
    given, wanted = state(3), state(3)
    with new_writer() as writer:
        writer.write(3, CheckpointFile(tmp_path / "first.pt", given), CheckpointFile(tmp_path / "second.pt", given))
        assert gate.waiting.wait(TIMEOUT)  # the second file has not been begun
        for value in given["model"].values():
            value.fill_(9)
        given["watchdog"]["best"]["watch"] = 0.9
        gate.open()
    for name in ("first.pt", "second.pt"):
        found = checkpoint.load(tmp_path / name)
        assert found["watchdog"] == wanted["watchdog"]
        assert all(torch.equal(found["model"][key], value) for key, value in wanted["model"].items())


def test_a_file_is_not_begun_before_its_copy_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, whose copy is made later."""

    def late(given: Any, device: torch.device) -> HostCopy:
        copy, source = copy_to_host(given, device).state, copy_to_host(given, device).state
        copy[0]["model"]["w"].fill_(-1)
        return HostCopy(copy, lambda: copy[0]["model"]["w"].copy_(source[0]["model"]["w"]))

    monkeypatch.setattr("engine.training.checkpoint_writer.copy_to_host", late)
    with new_writer() as writer:
        writer.write(0, CheckpointFile(tmp_path / "last.pt", {"model": {"w": torch.arange(5)}}))
    assert checkpoint.load(tmp_path / "last.pt")["model"]["w"].tolist() == [0, 1, 2, 3, 4]


def test_the_event_of_a_file_follows_when_the_file_is_there(tmp_path: Path) -> None:
    told = []

    def emit(event: events.AnyEvent) -> None:
        assert isinstance(event, events.Saved)
        found = checkpoint.load(tmp_path / event.file)
        told.append((event.step, event.file, found["step"], event.bytes == (tmp_path / event.file).stat().st_size))

    with new_writer(emit) as writer:
        for step in (1, 2):
            best, last = (CheckpointFile(tmp_path / name, state(step)) for name in ("best.pt", "last.pt"))
            good = CheckpointFile(tmp_path / "good.pt", state(step), reported=False)
            writer.write(step, best, good, last._replace(keep=tmp_path / "previous.pt"))
    assert told == [(n, name, n, True) for n in (1, 2) for name in ("best.pt", "last.pt")]
    assert sorted(os.listdir(tmp_path)) == ["best.pt", "good.pt", "last.pt", "previous.pt"]
    assert checkpoint.load(tmp_path / "previous.pt")["step"] == 1


def test_a_write_that_is_asked_for_during_another_waits_for_it(tmp_path: Path, gate: Gate) -> None:
    told: list[events.AnyEvent] = []
    writer = new_writer(told.append)
    writer.write(1, CheckpointFile(tmp_path / "last.pt", state(1)))
    assert gate.waiting.wait(TIMEOUT)
    writer.check()  # does not wait
    second = threading.Thread(target=lambda: writer.write(2, CheckpointFile(tmp_path / "last.pt", state(2))))
    second.start()
    second.join(0.2)
    assert second.is_alive()
    assert told == []
    gate.open()
    second.join(TIMEOUT)
    with writer:
        pass
    assert [event.step for event in told if isinstance(event, events.Saved)] == [1, 2]
    assert gate.most == 1
    assert checkpoint.load(tmp_path / "last.pt")["step"] == 2


def test_leaving_the_context_waits_for_the_file_and_ends_the_thread(tmp_path: Path, gate: Gate) -> None:
    def leave() -> None:
        with new_writer() as writer:
            writer.write(1, CheckpointFile(tmp_path / "last.pt", state(1)))

    leaving = threading.Thread(target=leave)
    leaving.start()
    assert gate.waiting.wait(TIMEOUT)
    leaving.join(0.2)
    assert leaving.is_alive()
    assert not (tmp_path / "last.pt").exists()
    gate.open()
    leaving.join(TIMEOUT)
    assert checkpoint.load(tmp_path / "last.pt")["step"] == 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("checkpoints")]


TOO_LARGE = {"ballast": torch.rand(100_000)}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 kB that has a checkpoint of step 1."""
    with small_disk(tmp_path / "tiny", "200k") as folder:
        checkpoint.save(folder / "last.pt", CONFIG, state(1))
        yield folder


def begin_to_fail(writer: CheckpointWriter, disk: Path) -> None:
    too_large = CheckpointFile(disk / "last.pt", state(2) | TOO_LARGE, keep=disk / "previous.pt")
    writer.write(2, too_large, CheckpointFile(disk / "other.pt", state(2)))


def still_as_before(disk: Path) -> bool:
    return os.listdir(disk) == ["last.pt"] and checkpoint.load(disk / "last.pt")["step"] == 1


FULL = r"^cannot write .*/last\.pt: No space left on device"


def test_a_full_disk_is_told_at_the_next_step_and_only_once(disk: Path) -> None:
    told: list[events.AnyEvent] = []
    with new_writer(told.append) as writer:
        begin_to_fail(writer, disk)

        def raised() -> bool:
            try:
                writer.check()
            except WriteError as error:
                return str(error).startswith(f"cannot write {disk / 'last.pt'}: No space left")
            return False

        wait_until(raised)
        writer.check()
        assert still_as_before(disk)
        assert told == []
        writer.write(3, CheckpointFile(disk / "last.pt", state(3)))  # somebody has made room
    assert checkpoint.load(disk / "last.pt")["step"] == 3


def test_a_full_disk_is_told_at_the_next_checkpoint(disk: Path) -> None:
    with new_writer() as writer:
        begin_to_fail(writer, disk)
        with pytest.raises(WriteError, match=FULL):
            writer.write(3, CheckpointFile(disk / "last.pt", state(3)))
    assert still_as_before(disk)


@pytest.mark.parametrize("ended_by", [None, Stopped])
def test_a_full_disk_is_told_at_the_end_and_in_place_of_a_stop(disk: Path, ended_by: type[Exception] | None) -> None:
    with pytest.raises(WriteError, match=FULL), new_writer() as writer:
        begin_to_fail(writer, disk)
        if ended_by:
            raise ended_by
    assert still_as_before(disk)


def test_an_error_of_the_training_comes_before_that_of_the_disk_and_names_it(disk: Path) -> None:
    with pytest.raises(ArithmeticError) as caught, new_writer() as writer:
        begin_to_fail(writer, disk)
        raise ArithmeticError("diverged")
    assert "No space left" in caught.value.__notes__[0]
    assert still_as_before(disk)


def test_an_event_that_cannot_be_written_is_an_error_of_the_write(tmp_path: Path) -> None:
    def emit(event: events.AnyEvent) -> None:
        raise OSError("the disk of the events is full")

    with pytest.raises(OSError, match="of the events is full"), new_writer(emit) as writer:
        writer.write(1, CheckpointFile(tmp_path / "last.pt", state(1)))
    assert checkpoint.load(tmp_path / "last.pt")["step"] == 1
