"""Event files of TensorBoard that a run writes as it trains."""

import importlib.util
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.__main__ import main
from engine.data.memory import digits
from engine.protocol import event_log
from engine.protocol.event_log import Writer
from engine.protocol.events import Evaluated, Finished, Note, RolledBack, Step
from engine.protocol.rundir import RunDir
from engine.protocol.tensorboard.event_file import copy_events
from tests.support.engine import of_kind, run_folder
from tests.support.event_files import Points, scalars, scalars_of_tensorboard
from tests.support.events import evaluated, started, step
from tests.support.small_disk import full_disk
from tests.support.training import StopAfter, few_digits

HAS_TENSORBOARD = importlib.util.find_spec("tensorboard") is not None
READERS = [scalars, *([scalars_of_tensorboard] if HAS_TENSORBOARD else [])]
ON = {"log.tensorboard": "on", "batch_size": 40}
every_reader = pytest.mark.parametrize("read", READERS)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "read", lambda folder: few_digits())
    monkeypatch.setattr("engine.protocol.files.os.fsync", lambda handle: None)


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    return run_folder(tmp_path / "abc123", ON)


def single(number: float) -> float:
    """The nearest float32."""
    found: float = struct.unpack("<f", struct.pack("<f", number))[0]
    return found


def write(rundir: RunDir, *events: Any) -> None:
    """The events of one attempt."""
    with Writer(rundir.events) as writer:
        copy_events(writer, rundir, rundir.submission().config)
        for event in events:
            writer.write(event)


@every_reader
@pytest.mark.usefixtures("quick")
def test_a_run_that_is_stopped_and_resumed_has_every_figure_of_its_events(
    rundir: RunDir, read: Callable[[Path], Points], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.reporter.MIN_INTERVAL", 0.0)
    monkeypatch.setattr("engine.__main__.StopRequest", lambda asked: StopAfter(7))
    assert main([str(rundir.path)]) == 130
    monkeypatch.undo()
    monkeypatch.setattr(digits, "read", lambda folder: few_digits())
    assert main([str(rundir.path)]) == 0
    found = read(rundir.path)
    steps = {event.step: event for event in of_kind(rundir, Step)}  # the last one of each number
    assert found["train/loss"] == [(number, single(event.loss)) for number, event in sorted(steps.items())]
    assert found["train/lr"] == [(number, single(event.lr)) for number, event in sorted(steps.items())]
    watched = [event for event in of_kind(rundir, Evaluated) if event.stage == "watch"]
    assert found["watch/robust"] == [(event.step, single(event.robust)) for event in watched]
    assert len(watched) == 2
    assert len([*rundir.path.glob("*tfevents*")]) == 2


@pytest.mark.usefixtures("quick")
def test_a_run_writes_no_event_file_unless_it_is_told_to(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "abc123", {"batch_size": 40, "epochs": 1})
    assert main([str(rundir.path)]) == 0
    assert not [*rundir.path.glob("*tfevents*")]


@every_reader
def test_steps_that_a_kill_or_a_rollback_has_voided_are_dropped_by_readers(
    rundir: RunDir, read: Callable[[Path], Points]
) -> None:
    write(rundir, started(), *(step(number, loss=9.0) for number in range(1, 9)), evaluated(8, robust=0.9))
    back = RolledBack(step=7, epoch=0.7, to_step=6, to_epoch=0.6, number=1, message="PGD-2 from here")
    write(rundir, started(attempt=2, from_step=5), step(6, loss=1.0), step(7, loss=3.0), back, step(7, loss=0.5))
    found = read(rundir.path)
    assert found["train/loss"] == [*((number, 9.0) for number in range(1, 6)), (6, 1.0), (7, 0.5)]
    assert not found.get("watch/robust")


def test_a_torn_record_of_a_killed_attempt_hides_nothing_of_the_next_attempt(rundir: RunDir) -> None:
    write(rundir, started(), step(1), step(2))
    (first,) = rundir.path.glob("*tfevents*")
    first.write_bytes(first.read_bytes()[:-5])
    write(rundir, started(attempt=2, from_step=1), step(2, loss=0.25))
    for read in READERS:
        assert read(rundir.path)["train/loss"] == [(1, 1.0), (2, 0.25)]


def test_a_full_disk_ends_the_event_file_and_not_the_run(rundir: RunDir, tmp_path: Path) -> None:
    with full_disk(tmp_path / "full") as folder, Writer(rundir.events) as writer:
        writer.copy_to(_event_file(folder), "the TensorBoard file")
        writer.write(started())
        writer.write(step(1))
        writer.write(step(2))
    (note,) = of_kind(rundir, Note)
    assert note.message == "the TensorBoard file cannot be written (No space left on device); the run goes on without"
    assert [event.step for event in of_kind(rundir, Step)] == [1, 2]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("a fault of our own")])
def test_no_error_of_a_copy_reaches_the_run(rundir: RunDir, error: Exception) -> None:
    class Broken:
        def write(self, event: object, /) -> None:
            raise error

        def close(self) -> None:
            raise OSError(5, "Input/output error")

    with Writer(rundir.events) as writer:
        writer.copy_to(Broken(), "the copy")
        writer.write(step(1))
        writer.write(step(2))
    assert len(of_kind(rundir, Step)) == 2
    (note,) = of_kind(rundir, Note)
    assert note.message.startswith("the copy cannot be written (")


def _event_file(folder: Path) -> Any:
    from engine.protocol.tensorboard.event_file import EventFile

    return EventFile(folder, "abc123", {})


@pytest.mark.skipif(not HAS_TENSORBOARD, reason="needs tensorboard")
def test_tensorboard_finds_settings_outcome_and_texts(rundir: RunDir) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    write(rundir, started(t=5.0), step(3), Note(message="a | b"), Finished(status="stopped", step=3))
    write(rundir, started(attempt=2, from_step=3), step(4), Finished(status="done", step=4, t=9.0))
    reader = EventAccumulator(str(rundir.path))
    reader.Reload()
    config = rundir.submission().config

    def plugin_data(tag: str) -> Any:
        return HParamsPluginData.FromString(reader.SummaryMetadata(tag).plugin_data.content)

    begun = plugin_data("_hparams_/session_start_info").session_start_info
    assert begun.group_name == "abc123"
    assert begun.start_time_secs == 5.0
    assert begun.hparams["eps"].number_value == config.eps
    assert begun.hparams["method.name"].string_value == "fgsm"
    assert begun.hparams["model.final_norm"].bool_value is True
    ended = plugin_data("_hparams_/session_end_info").session_end_info
    assert (ended.status, ended.end_time_secs) == (1, 9.0)  # STATUS_SUCCESS, of the second attempt
    said = [event.tensor_proto.string_val[0].decode() for event in reader.Tensors("log")]
    assert said == ["a | b", "stopped", "done"]
    assert f"| eps | {config.eps} |" in reader.Tensors("settings")[0].tensor_proto.string_val[0].decode()


def test_events_of_the_run_are_the_same_with_and_without_the_copy(rundir: RunDir, tmp_path: Path) -> None:
    written = [started(t=1.0), step(1, t=2.0), evaluated(1, t=3.0), Finished(status="done", t=4.0)]
    write(rundir, *written)
    with Writer(tmp_path / "plain.jsonl") as writer:
        for event in written:
            writer.write(event)
    assert rundir.events.read_bytes() == (tmp_path / "plain.jsonl").read_bytes()
    assert [*event_log.read(rundir.events)] == written
