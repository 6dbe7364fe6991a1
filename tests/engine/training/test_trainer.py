"""Whole runs in this process on a tenth of the digits: an interruption anywhere leaves the same numbers at the end."""

import dataclasses
import re
import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import engine.__main__ as main
from engine.config.errors import ConfigError
from engine.data.memory import digits
from engine.data.memory.arrays import Arrays
from engine.evaluation.evaluation import Accuracy
from engine.models.build import build_network
from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from engine.training import checkpoint
from engine.training.alarm import THRESHOLD
from engine.training.learner import Learner
from engine.training.loss_scaler import LossScaler
from engine.training.reporter import DivergedError
from engine.training.trainer import Training
from engine.training.validation import Validation
from tests.support.engine import assert_same, assert_same_end, of_kind, run_folder, weights, without_clock
from tests.support.official_data import write_mnist
from tests.support.small_disk import small_disk
from tests.support.training import StopAfter, train

ALWAYS = 1e-9  # a value of checkpoint_minutes that saves after every update


READ = digits.read


@cache
def few_digits() -> Arrays:
    """150 training and 60 test images."""
    whole = READ(Path())
    return Arrays(
        whole.train_images[:150], whole.train_labels[:150], whole.test_images[:60], whole.test_labels[:60], True
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train on few images, and do not wait for the disk."""
    monkeypatch.setattr(digits, "read", lambda folder: few_digits())
    monkeypatch.setattr("engine.protocol.files.os.fsync", lambda handle: None)


CROPS = {"micro_batch": 16, "model.name": "preact-resnet18", "model.width": 2, "model.depth": 1}  # takes 6 pixels, too
METHODS: dict[str, dict[str, Any]] = {
    "standard": {"method.name": "standard"},
    "random": {},
    "previous": {"method.init": "previous", "optim.name": "sgd", "optim.lr": 0.05},
    "pgd": {"method.name": "pgd", "method.steps": 2},
    "free": {"method.name": "free", "method.replays": 3},
    "l2": {"norm": "l2", "eps": 0.8, "method.init": "previous"},
    "extra": {"extra_data": "extra.npz"},  # of the folder of the test
    "sora": {"method.name": "sora", "micro_batch": 16},
    "nuat": {"method.name": "nuat"},
    "liet": {"method.name": "liet", "method.table_steps": 3},
    "fgsm-uap": {"method.name": "fgsm-uap", "phases": "0-1:0/6:40 1-2:0/8:30", **CROPS},
    "phases": {"method.init": "previous", "phases": "0-1:0/6:40 1-2:0/8:30", **CROPS},
}
FEW = {
    "batch_size": 40,
    "epochs": 2,
    "watch.images": 40,
    "watch.steps": 1,
    "eval.attack": "pgd-1-2",
    "eval.images": 40,
}


def test_a_network_with_dropout_is_resumed_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = build_network
    monkeypatch.setattr(
        "engine.training.setup.build_network", lambda *which: nn.Sequential(build(*which), nn.Dropout(0.2))
    )
    whole, broken = run_folder(tmp_path / "whole", FEW), run_folder(tmp_path / "broken", FEW)
    train(whole)
    with pytest.raises(Stopped):
        train(broken, 3)
    torch.rand(5)  # random numbers that an uninterrupted process would not draw
    train(broken, attempt=2)
    assert_same_end(whole, broken)


DIVERGING = {"optim.name": "sgd", "optim.schedule": "constant", "optim.lr": 100.0, "optim.weight_decay": 1.0}


@pytest.mark.parametrize("name", METHODS)
def test_a_run_stopped_at_any_check_ends_with_the_same_numbers(tmp_path: Path, name: str) -> None:
    """The stop checks include those between the replays of free training and those inside both kinds of evaluation."""
    typed = FEW | METHODS[name]
    if "extra_data" in typed:
        typed["extra_data"] = str(write_extra(tmp_path / typed["extra_data"]))
    whole = run_folder(tmp_path / "whole", typed)
    looks = train(whole).made
    assert looks >= 2 * (4 * (3 if name == "free" else 1)) + 2
    for stop_at in range(1, looks, 3 if name in ("random", "free") else 6):
        broken = run_folder(tmp_path / f"stopped {stop_at}", typed)
        with pytest.raises(Stopped):
            train(broken, stop_at)
        train(broken, attempt=2)
        assert_same_end(whole, broken)
        assert _trained_twice(broken) == 0


def write_extra(path: Path, shade: int = 0) -> Path:
    """An npz file with 70 images for the digits."""
    images = np.random.default_rng(shade).integers(0, 256, (70, 8, 8, 1), dtype=np.uint8)
    np.savez(path, image=images, label=np.arange(70) % 10)
    return path


def test_extra_data_are_named_at_the_start_and_must_be_the_same_after_a_resume(tmp_path: Path) -> None:
    file = write_extra(tmp_path / "extra.npz")
    rundir = run_folder(tmp_path / "run", FEW | {"extra_data": str(file), "extra_fraction": 0.5})
    with pytest.raises(Stopped):
        train(rundir, 3)
    (note,) = [event.message for event in of_kind(rundir, events.Note) if "extra.npz" in event.message]
    assert re.search(r"50% of each minibatch are from the 70 images of .* \(fingerprint [0-9a-f]{12}\)", note)
    write_extra(file, shade=1)
    with pytest.raises(ConfigError, match=r"trained with 70 extra images .* restore the file or start a new run"):
        train(rundir, attempt=2)
    write_extra(file)
    train(rundir, attempt=3)
    file.unlink()
    with pytest.raises(ConfigError, match=r"extra\.npz: No such file"):
        train(rundir, attempt=4)


def _trained_twice(rundir: RunDir) -> int:
    """Steps between the last checkpoint and the beginning of the attempt after it."""
    order = list(event_log.read(rundir.events))
    second = max(n for n, event in enumerate(order) if isinstance(event, events.Started))
    saved = [event.step for event in order[:second] if isinstance(event, events.Saved) and event.file == "last.pt"]
    (began,) = [event.from_step for event in order[second:] if isinstance(event, events.Started)]
    return saved[-1] - began


def test_a_run_stopped_again_and_again_ends_with_the_same_numbers(tmp_path: Path) -> None:
    whole = run_folder(tmp_path / "whole", FEW)
    train(whole)
    broken = run_folder(tmp_path / "broken", FEW)
    for attempt in range(1, 40):
        try:
            train(broken, looks=4, attempt=attempt)  # more stop checks than one evaluation has: it starts anew
        except Stopped:
            continue
        break
    assert attempt > 3
    assert_same_end(whole, broken)


def test_a_broken_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    whole = run_folder(tmp_path / "whole", FEW)
    train(whole)
    broken = run_folder(tmp_path / "broken", FEW | {"checkpoint_minutes": ALWAYS})
    with pytest.raises(Stopped):
        train(broken, looks=3)
    broken.last.write_bytes(broken.last.read_bytes()[:-200])
    train(broken, attempt=2)
    (note,) = [event.message for event in of_kind(broken, events.Note)]
    assert "last.pt is damaged" in note
    assert "continuing from the previous checkpoint" in note
    assert_same(weights(whole)["model"], weights(broken)["model"])


def test_two_broken_checkpoints_end_the_run_with_their_names(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    for path in (rundir.last, rundir.previous):
        path.write_bytes(b"broken")
    with pytest.raises(checkpoint.CheckpointError, match=r"last\.pt.*previous\.pt"):
        train(rundir)


def test_a_finished_run_that_is_resumed_trains_no_further(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    train(rundir)
    before = weights(rundir)
    train(rundir, attempt=2)
    assert_same(before, weights(rundir))
    finals = [event for event in of_kind(rundir, events.Evaluated) if event.stage == "final"]
    assert without_clock(finals[0]) == without_clock(finals[1])
    assert of_kind(rundir, events.Started)[-1].from_step == before["step"]


@pytest.mark.parametrize("method", ["standard", "random", "pgd", "free"])
def test_a_run_says_where_the_alarm_is_raised_if_its_method_has_a_signal(tmp_path: Path, method: str) -> None:
    rundir = run_folder(tmp_path / "run", FEW | METHODS[method] | {"epochs": 1})
    train(rundir)
    (began,) = of_kind(rundir, events.Started)
    measured = [event.signal for event in of_kind(rundir, events.Step) if event.signal is not None]
    assert began.signal_threshold == (THRESHOLD if measured else None)


@pytest.mark.parametrize(("method", "has"), [("sora", True), ("nfgsm", False)])
def test_a_run_writes_the_alignment_of_its_gradients_if_its_method_knows_it(
    tmp_path: Path, method: str, has: bool
) -> None:
    rundir = run_folder(tmp_path / "one", FEW | {"method.name": method})
    train(rundir)
    found = [event.alignment for event in of_kind(rundir, events.Step)]
    assert found
    assert all(value is not None and -1 <= value <= 1 if has else value is None for value in found)


def test_a_run_writes_its_events_in_their_order(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW | METHODS["free"])
    train(rundir)
    (began,) = of_kind(rundir, events.Started)
    assert (began.steps_per_epoch, began.total_steps) == (4 * 3, 2 * 4 * 3)
    assert (began.train_images, began.test_images, began.official_data) == (150, 60, True)
    found = of_kind(rundir, events.Evaluated)
    assert [(e.stage, e.split, e.attack, e.step, e.images) for e in found] == [
        ("guard", "train", "pgd-5", 12, 120),
        ("watch", "test", "pgd-1", 12, 40),
        ("guard", "train", "pgd-5", 24, 120),
        ("watch", "test", "pgd-1", 24, 40),
        ("final", "test", "pgd-1-2", 24, 40),
    ]
    steps = of_kind(rundir, events.Step)
    assert {1, 12, 24} <= {event.step for event in steps}  # the first, and each epoch's last
    assert all(event.signal is None for event in steps)
    assert steps[0].lr == 0
    clock = [event.elapsed for event in event_log.read(rundir.events)]
    assert clock == sorted(clock)


def test_the_training_time_continues_over_attempts(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    with pytest.raises(Stopped):
        train(rundir, looks=3)
    before = weights(rundir)["elapsed"]
    train(rundir, attempt=2)
    assert of_kind(rundir, events.Started)[-1].elapsed >= before - 0.001
    assert list(event_log.read(rundir.events))[-1].elapsed > before


def test_watched_and_final_evaluations_are_left_out_if_not_asked_for(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"watch.images": 0, "eval.attack": "none"})
    train(rundir)
    assert {event.stage for event in of_kind(rundir, events.Evaluated)} == {"guard"}


def _guards(monkeypatch: pytest.MonkeyPatch, *robust: float) -> None:
    found = iter(robust)
    monkeypatch.setattr(Validation, "guard_accuracy", lambda self, epoch: Accuracy(0.9, next(found), 40))


def test_early_stopping_restores_the_weights_of_the_epoch_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = FEW | {"epochs": 5, "on_collapse": "stop"}
    rundir, other = run_folder(tmp_path / "run", typed), run_folder(tmp_path / "other", typed)
    _guards(monkeypatch, 0.3, 0.5, 0.1)
    train(rundir)
    _guards(monkeypatch, 0.3, 0.5)
    with pytest.raises(StopIteration):
        train(other)
    assert_same(weights(rundir)["model"], weights(other, "best")["model"])
    (note,) = of_kind(rundir, events.Note)
    assert "fell from 50.0% to 10.0%" in note.message
    final = of_kind(rundir, events.Evaluated)[-1]
    assert (final.stage, final.epoch) == ("final", 3.0)
    train(rundir, attempt=2)  # a run that stopped early does not train on
    assert of_kind(rundir, events.Started)[-1].from_step == 12


def test_early_stopping_ends_a_run_that_is_robust_to_fgsm_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Smoothed labels hide the collapse from a fall of robust accuracy."""
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 3, "on_collapse": "stop"})
    found = iter([Accuracy(0.9, 0.5, 512, fgsm=0.55), Accuracy(0.9, 0.43, 512, fgsm=0.95)])
    monkeypatch.setattr(Validation, "guard_accuracy", lambda self, epoch: next(found))
    train(rundir)
    (note,) = of_kind(rundir, events.Note)
    assert "is 43.0%, but 95.0% under FGSM; the weights of an earlier epoch are kept" in note.message
    assert_same(weights(rundir)["model"], weights(rundir, "best")["model"])


def test_early_stopping_restores_no_weights_of_an_epoch_that_may_be_the_first_of_the_collapse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 4, "on_collapse": "stop"})
    looks = [(0.3, 0.35), (0.3, 0.78), (0.3, 0.78)]  # accuracy under PGD-5 and FGSM, of 90% clean accuracy
    found = iter([Accuracy(0.9, robust, 512, fgsm=fgsm) for robust, fgsm in looks])
    monkeypatch.setattr(Validation, "guard_accuracy", lambda self, epoch: next(found))
    train(rundir)
    assert [event.step for event in of_kind(rundir, events.Saved) if event.file == rundir.best.name] == [4]
    assert "is 30.0%, but 78.0% under FGSM" in of_kind(rundir, events.Note)[0].message
    assert_same(weights(rundir)["model"], weights(rundir, "best")["model"])


def test_early_stopping_works_after_a_first_epoch_that_looked_collapsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 4, "on_collapse": "stop"})
    _guards(monkeypatch, 0.01, 0.5, 0.1)
    train(rundir)
    assert "stopped early" in of_kind(rundir, events.Note)[0].message


def test_the_best_weights_are_never_chosen_by_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    _guards(monkeypatch, 0.5, 0.5)
    monkeypatch.setattr(Validation, "watched_accuracy", lambda self, look: Accuracy(0.9, 0.0, 60))
    train(rundir)
    assert [event.kind for event in of_kind(rundir, events.Alarm)] == ["collapse"]
    assert_same(weights(rundir, "best")["model"], weights(rundir)["model"])


def test_the_best_weights_are_from_the_last_epoch_that_had_not_collapsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 3})
    _guards(monkeypatch, 0.8, 0.1, 0.1)
    train(rundir)
    assert [event.step for event in of_kind(rundir, events.Saved) if event.file == "best.pt"] == [4]
    other = run_folder(tmp_path / "other", FEW | {"epochs": 3})
    _guards(monkeypatch, 0.8, 0.1, 0.7)
    train(other)
    assert [event.step for event in of_kind(other, events.Saved) if event.file == "best.pt"] == [4, 12]


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


def test_an_attempt_says_what_it_does_before_its_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    rundir = run_folder(tmp_path / "run", FEW)
    assert main.train(rundir) == 0
    phases = [event.phase for event in of_kind(rundir, events.Starting)]
    assert phases == ["loading torch", "loading the data", "building the network"]
    assert [type(event) for event in event_log.read(rundir.events)][3] is events.Started


def test_an_events_file_that_cannot_be_written_still_gives_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: event_log.Writer, event: events.AnyEvent) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    monkeypatch.setattr(event_log.Writer, "write", full)
    assert main.train(run_folder(tmp_path / "run", FEW)) == 1
    assert "cannot write the last event" in capsys.readouterr().err


def test_a_run_in_fp16_says_how_many_updates_it_has_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.learner.LossScaler", partial(LossScaler, init_scale=2.0**40))
    rundir = run_folder(tmp_path / "run", FEW | {"precision": "fp16"})
    train(rundir)
    skipped = of_kind(rundir, events.Step)[-1].skipped
    assert 4 < skipped <= 8  # 4 updates in each of 2 epochs
    assert [event.message for event in of_kind(rundir, events.Note) if "skipped" in event.message] == [
        "fp16 has skipped 4 of 4 weight updates so far, because their gradients overflowed"
    ] + ["fp16 has skipped 8 of 8 weight updates so far, because their gradients overflowed"] * (skipped == 8)


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


def test_the_peak_of_the_gpu_is_in_the_steps_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    held = iter(range(10**9, 2 * 10**9))
    monkeypatch.setattr("engine.runtime.gpu_memory.peak", lambda device: next(held))
    rundir = run_folder(tmp_path / "run", FEW)
    assert main.train(rundir) == 0
    told = [event.gpu_memory for event in of_kind(rundir, events.Step) + of_kind(rundir, events.Finished)]
    assert told == list(range(10**9, 10**9 + len(told)))


def test_a_checkpoint_is_read_into_main_memory_and_then_placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read onto a GPU, it would take the memory of a second training there."""
    rundir = run_folder(tmp_path / "run", FEW | {"method.init": "previous"})
    with pytest.raises(Stopped):
        train(rundir, 3)
    with event_log.Writer(rundir.events) as writer:
        training = Training(rundir.submission().config, rundir, writer, StopAfter())
    training.setup = dataclasses.replace(training.setup, device=torch.device("meta"))  # any device but the CPU
    read: list[str] = []
    monkeypatch.setattr(
        training.learner, "load_state_dict", lambda state: read.extend(v.device.type for v in state["model"].values())
    )
    training._restore()
    assert {*read} == {"cpu"}
    assert training._updates.delta is not None
    assert training._updates.delta.is_meta
