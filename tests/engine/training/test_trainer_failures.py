"""Whole runs that cannot go on: divergence, full disks, what the user can put right, and errors of the program."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import engine.__main__ as main
from engine.config.errors import ConfigError
from engine.protocol import event_log, events
from engine.training import checkpoint
from engine.training.learner import Learner
from engine.training.reporter import DivergedError
from tests.support.engine import of_kind, run_folder, weights
from tests.support.few_digits import ALWAYS, FEW, train_quickly
from tests.support.official_data import write_mnist
from tests.support.small_disk import small_disk
from tests.support.training import StopAfter, train


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)


DIVERGING = {"optim.name": "sgd", "optim.schedule": "constant", "optim.lr": 100.0, "optim.weight_decay": 1.0}


def test_a_loss_that_is_nan_ends_even_a_short_run(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW | DIVERGING)
    with pytest.raises(DivergedError, match="lower the learning rate"):
        train(rundir)
    assert [event.kind for event in of_kind(rundir, events.Alarm)] == ["diverged"]
    assert not rundir.best.exists()


def _spoil_weights(monkeypatch: pytest.MonkeyPatch, at_step: int) -> None:
    """Let one weight become NaN in an update whose loss is finite, as an overflow does."""
    step = Learner.advance

    def spoiled(learner: Learner) -> None:
        step(learner)
        if learner.step == at_step:
            with torch.no_grad():
                next(learner.model.parameters()).view(-1)[0] = float("nan")

    monkeypatch.setattr(Learner, "advance", spoiled)


@pytest.mark.parametrize("at_step", [2, 4, 8])  # in an epoch, at the end of an epoch, at the end of training
def test_no_checkpoint_holds_weights_that_are_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_step: int
) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"checkpoint_minutes": ALWAYS})
    with monkeypatch.context() as patch:
        _spoil_weights(patch, at_step)
        with pytest.raises(DivergedError, match=rf"^diverged: the weights are not finite at step {at_step}; lower the"):
            train(rundir)
    for path in rundir.path.glob("*.pt"):
        assert all(bool(value.isfinite().all()) for value in checkpoint.load(path)["model"].values()), path
    assert weights(rundir)["step"] == at_step - 1
    assert not [event for event in of_kind(rundir, events.Evaluated) if event.step == at_step]
    train(rundir, attempt=2)  # without the fault, the run goes on from the checkpoint before


def test_a_run_that_is_stopped_after_it_diverged_says_that_it_diverged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    _spoil_weights(monkeypatch, at_step=1)
    with pytest.raises(DivergedError):
        train(rundir, looks=1)
    assert not rundir.last.exists()


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"batch_size": 5000}, "the data has only 150 training images"),
        ({"device": "cuda:99"}, "cuda:99 is not there"),
    ],
)
def test_a_run_that_cannot_train_is_refused_before_it_starts(tmp_path: Path, typed: dict[str, Any], error: str) -> None:
    rundir = run_folder(tmp_path / "run", typed)
    with pytest.raises(ConfigError, match=error):
        train(rundir)


def test_a_run_on_a_full_disk_ends_in_one_line_and_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())  # the signal handlers of the test runner stay
    with small_disk(tmp_path / "tiny", "1m") as disk:
        rundir = run_folder(disk / "run", FEW)
        (disk / "filling").write_bytes(bytes(shutil.disk_usage(disk).free - 40_000))  # less than a checkpoint takes
        assert main.train(rundir) == 1
        last = list(event_log.read(rundir.events))[-1]
        assert isinstance(last, events.Finished)
        assert last.error.startswith(f"cannot write {rundir.last}: No space left on device (")
        assert "Traceback" not in capsys.readouterr().err
        (disk / "filling").unlink()
        assert main.train(rundir) == 0


def _vanished(folder: Path) -> dict[str, Any]:
    return {"data_dir": str(folder / "data"), "dataset": "mnist", "model.name": "mnist-cnn"}


def _damaged(folder: Path) -> dict[str, Any]:
    write_mnist(folder / "data", packed=True)
    (folder / "data" / "t10k-labels-idx1-ubyte.gz").unlink()
    return _vanished(folder)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (_vanished, r"^the data folder .* does not exist; create it"),
        (_damaged, r"t10k-labels-idx1-ubyte \(or \.gz\) is missing"),
        (lambda folder: FEW | DIVERGING, "^diverged: the loss is (nan|inf) at step .*; lower the learning rate"),
        (lambda folder: {"batch_size": 5000}, "^batch_size = 5000: the data has only 150"),
        (lambda folder: {"device": "cuda:99"}, "^device = cuda:99 is not there: .*use --device auto or cpu"),
    ],
    ids=["vanished", "damaged", "diverges", "batch", "device"],
)
def test_a_failure_that_the_user_can_put_right_is_one_line_in_the_last_event_and_in_the_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: Callable[[Path], dict[str, Any]],
    error: str,
) -> None:
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())  # the signal handlers of the test runner stay
    typed = settings(tmp_path)
    rundir = run_folder(tmp_path / "run", typed, dataset=typed.get("dataset", "digits"))
    assert main.train(rundir) == 1
    last = list(event_log.read(rundir.events))[-1]
    assert isinstance(last, events.Finished)
    assert last.status == "failed"
    assert re.search(error, last.error)
    assert "\n" not in last.error
    log = capsys.readouterr().err
    assert re.search(error, log, re.MULTILINE)
    assert last.resumable == ("diverged" in last.error)  # the others fail again until the user changes something
    assert "Traceback" not in log  # an error that the user can put right needs none


def test_an_error_of_the_program_has_its_traceback_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("of the program")

    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    monkeypatch.setattr("engine.training.trainer.set_up", broken)
    rundir = run_folder(tmp_path / "run", FEW)
    assert main.train(rundir) == 1
    (last,) = of_kind(rundir, events.Finished)
    assert (last.error, last.resumable) == ("RuntimeError: of the program", True)
    assert "Traceback" in capsys.readouterr().err


def test_a_run_whose_config_cannot_be_read_ends_with_a_failed_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    rundir = run_folder(tmp_path / "run", {})
    rundir.config.write_text("{torn")
    assert main.train(rundir) == 1
    starting, last = event_log.read(rundir.events)
    assert isinstance(starting, events.Starting)
    assert isinstance(last, events.Finished)
    assert last.status == "failed"
    assert "JSON is malformed" in last.error


def test_an_events_file_that_cannot_be_written_still_gives_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: event_log.Writer, event: events.AnyEvent) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    monkeypatch.setattr(event_log.Writer, "write", full)
    assert main.train(run_folder(tmp_path / "run", FEW)) == 1
    assert "cannot write the last event" in capsys.readouterr().err


def full_gpu(*_: Any, **__: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.20 GiB")


@pytest.mark.parametrize(
    ("place", "typed", "advice"),
    [
        ("engine.training.learner.Learner.update", {}, "40 images at once .* --set micro_batch=20$"),
        ("engine.training.learner.Learner.update", {"micro_batch": 16}, "16 images at once .* --set micro_batch=8$"),
        ("engine.training.validation.attacked_accuracy", {}, "an evaluation of 250 images at once does not fit; close"),
        ("engine.training.trainer.set_up", {}, "close other programs that use the GPU"),
    ],
)
def test_a_full_gpu_ends_a_run_with_what_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, typed: dict[str, Any], advice: str
) -> None:
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    monkeypatch.setattr(place, full_gpu)
    rundir = run_folder(tmp_path / "run", FEW | typed)
    assert main.train(rundir) == 1
    finished = of_kind(rundir, events.Finished)[-1]
    assert re.search(f"^out of GPU memory: .*{advice}", finished.error)
    assert not finished.resumable
