"""Whole runs: the same numbers whatever interrupts them, and `finished` always last.

Most runs are trained in this process, with a stop that comes after so many looks; signals, deaths and exit codes
are tried on real engine processes.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from engine_helpers import (
    ask,
    command,
    environment,
    finish,
    of_kind,
    run_folder,
    start,
    without_clock,
    write_cifar10,
    write_mnist,
)
from helpers import gone, wait_for

from engine import checkpoint, data, events, questions
from engine.config import ConfigError
from engine.data import digits
from engine.evaluate import Accuracy
from engine.presets import build
from engine.reporter import DivergedError
from engine.rundir import RunDir
from engine.stopping import Stopped, StopRequest
from engine.train import Training

ALWAYS, OFTEN = 1e-9, 1.5e-3  # checkpoint_minutes: after every update, every 90 ms


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: parsing the digits and waiting for the disk would take longer than these runs."""
    monkeypatch.setitem(data.READERS, "digits", cache(digits.read))
    monkeypatch.setattr("engine.atomic.os.fsync", lambda handle: None)


class StopAfter(StopRequest):
    """A request to stop that comes at a given look; None never comes."""

    def __init__(self, looks: int | None = None) -> None:
        self.looks, self.made = looks, 0

    def requested(self) -> bool:
        self.made += 1
        return self.looks is not None and self.made > self.looks


def train(rundir: RunDir, looks: int | None = None, attempt: int = 1) -> StopAfter:
    """Train a run in this process. Raises: Stopped."""
    stop = StopAfter(looks)
    with events.Writer(rundir.events) as writer:
        Training(rundir.submission().config, rundir, writer, stop).run(attempt)
    return stop


def weights(rundir: RunDir, which: str = "last") -> dict[str, Any]:
    state: dict[str, Any] = checkpoint.load(rundir.path / f"{which}.pt")
    return state


def assert_same(one: Any, other: Any, path: str = "") -> None:
    """Bit by bit, through containers."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_same(one[key], other[key], f"{path}.{key}")
    else:
        assert one == other, path


def assert_same_end(one: RunDir, other: RunDir) -> None:
    """Weights, optimizer, carried perturbation, alarm and results; only the clock may differ."""
    assert_same(weights(one) | {"elapsed": 0}, weights(other) | {"elapsed": 0})
    assert_same(weights(one, "best")["model"], weights(other, "best")["model"])
    assert evaluations(one) == evaluations(other)


def evaluations(rundir: RunDir) -> list[bytes]:
    return [without_clock(event) for event in of_kind(rundir, events.Evaluated)]


METHODS: dict[str, dict[str, Any]] = {
    "standard": {"method.name": "standard"},
    "random": {},
    "previous": {"method.init": "previous", "optim.name": "sgd", "optim.lr": 0.05},
    "pgd": {"method.name": "pgd", "method.steps": 2},
    "free": {"method.name": "free", "method.replays": 3},
}
FEW = {
    "batch_size": 400,
    "epochs": 2,
    "watch.images": 40,
    "watch.steps": 1,
    "eval.attack": "pgd-1-2",
    "eval.images": 40,
}

DIVERGING = {"optim.name": "sgd", "optim.schedule": "constant", "optim.lr": 100.0, "optim.weight_decay": 1.0}


@pytest.mark.parametrize("name", METHODS)
def test_a_run_stopped_at_any_look_ends_with_the_same_numbers(tmp_path: Path, name: str) -> None:
    """The looks include those between free's replays and those inside both kinds of evaluation."""
    typed = FEW | METHODS[name]
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


def _trained_twice(rundir: RunDir) -> int:
    """Steps between where the last attempt began and the last checkpoint before it."""
    order = list(events.read(rundir.events))
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
            train(broken, looks=4, attempt=attempt)  # enough for an evaluation, which is made from its start
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
    assert "going on from the checkpoint before" in note
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


def test_the_events_of_a_run(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW | METHODS["free"])
    train(rundir)
    (began,) = of_kind(rundir, events.Started)
    assert (began.steps_per_epoch, began.total_steps) == (4 * 3, 2 * 4 * 3)
    assert (began.train_images, began.test_images, began.official_data) == (1437, 360, True)
    found = of_kind(rundir, events.Evaluated)
    assert [(e.stage, e.split, e.attack, e.step, e.images) for e in found] == [
        ("guard", "train", "pgd-5", 12, 1437 - 3 * 400),
        ("watch", "test", "pgd-1", 12, 40),
        ("guard", "train", "pgd-5", 24, 237),
        ("watch", "test", "pgd-1", 24, 40),
        ("final", "test", "pgd-1-2", 24, 40),
    ]
    steps = of_kind(rundir, events.Step)
    assert {1, 12, 24} <= {event.step for event in steps}  # the first, and each epoch's last
    assert all(event.signal is None for event in steps)
    assert steps[0].lr == 0
    clock = [event.elapsed for event in events.read(rundir.events)]
    assert clock == sorted(clock)


def test_the_clock_goes_on_over_attempts(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    with pytest.raises(Stopped):
        train(rundir, looks=3)
    before = weights(rundir)["elapsed"]
    train(rundir, attempt=2)
    assert of_kind(rundir, events.Started)[-1].elapsed >= before - 0.001
    assert list(events.read(rundir.events))[-1].elapsed > before


def test_nothing_is_watched_where_nothing_is_asked_for(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"watch.images": 0, "eval.attack": "none"})
    train(rundir)
    assert {event.stage for event in of_kind(rundir, events.Evaluated)} == {"guard"}


def _guards(monkeypatch: pytest.MonkeyPatch, *robust: float) -> None:
    found = iter(robust)
    monkeypatch.setattr(Training, "_guard_accuracy", lambda self, epoch: Accuracy(0.9, next(found), 40))


def test_early_stopping_goes_back_to_the_epoch_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = FEW | {"epochs": 5, "early_stop.enabled": True}
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
    train(rundir, attempt=2)  # ended early, it stays ended
    assert of_kind(rundir, events.Started)[-1].from_step == 12


def test_early_stopping_works_after_a_first_epoch_that_looked_collapsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 4, "early_stop.enabled": True})
    _guards(monkeypatch, 0.01, 0.5, 0.1)
    train(rundir)
    assert "stopped early" in of_kind(rundir, events.Note)[0].message


def test_the_best_weights_are_never_chosen_by_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    _guards(monkeypatch, 0.5, 0.5)
    monkeypatch.setattr(Training, "_watched_accuracy", lambda self: Accuracy(0.9, 0.0, 40))
    train(rundir)
    assert [event.kind for event in of_kind(rundir, events.Alarm)] == ["collapse"]
    assert_same(weights(rundir, "best")["model"], weights(rundir)["model"])


def test_the_best_weights_are_of_the_last_epoch_before_a_collapse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 3})
    _guards(monkeypatch, 0.5, 0.1, 0.6)
    train(rundir)
    assert [event.step for event in of_kind(rundir, events.Saved) if event.file == "best.pt"] == [4]


def test_a_loss_that_is_no_number_ends_even_a_short_run(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW | DIVERGING)
    with pytest.raises(DivergedError, match="lower the learning rate"):
        train(rundir)
    assert [event.kind for event in of_kind(rundir, events.Alarm)] == ["diverged"]
    assert not rundir.best.exists()


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"batch_size": 5000}, "the data has only 1437 training images"),
        ({"device": "cuda:99"}, "cuda:99 is not there"),
    ],
)
def test_a_run_that_cannot_be_is_refused_as_it_is_built(tmp_path: Path, typed: dict[str, Any], error: str) -> None:
    rundir = run_folder(tmp_path / "run", typed)
    with pytest.raises(ConfigError, match=error):
        train(rundir)


# Real processes


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """An uninterrupted run of two epochs in a process of its own."""
    rundir = run_folder(tmp_path_factory.mktemp("train") / "reference", LONGER)
    assert finish(start(rundir)) == 0, rundir.log.read_text()
    return rundir


LONGER = {"batch_size": 4, "watch.steps": 2, "eval.attack": "pgd-2-2", "eval.images": 100}


def test_two_processes_with_the_same_seed_agree(reference: RunDir, tmp_path: Path) -> None:
    other = run_folder(tmp_path / "other", LONGER)
    assert finish(start(other)) == 0
    assert_same_end(reference, other)
    one, two = (
        {event.step: msgspec.structs.replace(event, t=0, elapsed=0, images_per_second=0) for event in found}
        for found in (of_kind(reference, events.Step), of_kind(other, events.Step))
    )
    common = one.keys() & two.keys()
    assert {1, 360, 720} <= common
    assert all(one[step] == two[step] for step in common)
    last = list(events.read(other.events))[-1]
    assert isinstance(last, events.Finished)
    assert (last.status, last.step, last.error) == ("done", 720, "")
    assert other.log.read_text() == ""


def _at_step(rundir: RunDir, process: subprocess.Popen[bytes]) -> None:
    """Wait until it trains in the middle of an epoch and has a checkpoint."""

    def look() -> bool:
        assert process.poll() is None, rundir.log.read_text()
        return len(of_kind(rundir, events.Saved)) >= 2

    wait_for(look, timeout=60)


def _sigterm(rundir: RunDir, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)


def _stop_file(rundir: RunDir, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGHUP)  # of a lost terminal: ignored
    rundir.request_stop()


@pytest.mark.parametrize("how", [_sigterm, _stop_file], ids=["SIGTERM", "stop file"])
def test_a_stop_saves_and_a_resumed_run_is_the_uninterrupted_one(
    reference: RunDir, tmp_path: Path, how: Callable[[RunDir, subprocess.Popen[bytes]], None]
) -> None:
    rundir = run_folder(tmp_path / "run", LONGER | {"checkpoint_minutes": OFTEN})
    process = start(rundir)
    _at_step(rundir, process)
    how(rundir, process)
    assert finish(process) == 130
    *_, saved, last = events.read(rundir.events)
    assert isinstance(saved, events.Saved)
    assert isinstance(last, events.Finished)
    assert (last.status, last.step) == ("stopped", saved.step)
    assert 0 < saved.step < 720
    rundir.stop.unlink(missing_ok=True)
    assert finish(start(rundir)) == 0
    again = of_kind(rundir, events.Started)[1]
    assert (again.attempt, again.from_step) == (2, saved.step)
    _same_weights_and_results(reference, rundir)


def _same_weights_and_results(reference: RunDir, resumed: RunDir) -> None:
    assert_same(weights(reference)["model"], weights(resumed)["model"])
    assert_same(weights(reference)["optimizer"], weights(resumed)["optimizer"])
    assert_same(weights(reference)["delta"], weights(resumed)["delta"])
    assert evaluations(reference)[-2:] == evaluations(resumed)[-2:]


def test_a_killed_run_resumes_from_its_last_checkpoint(reference: RunDir, tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", LONGER | {"checkpoint_minutes": OFTEN})
    process = start(rundir)
    _at_step(rundir, process)
    process.kill()
    process.wait()
    with rundir.events.open("ab") as file:
        file.write(b'{"type":"step","st')  # the worst moment
    assert finish(start(rundir)) == 0
    found = list(events.read(rundir.events))
    assert isinstance(found[-1], events.Finished)
    saved = [event.step for event in found if isinstance(event, events.Saved) and event.file == "last.pt"]
    assert of_kind(rundir, events.Started)[1].from_step in saved
    _same_weights_and_results(reference, rundir)


PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_an_engine_whose_parent_dies_saves_and_ends(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", LONGER | {"epochs": 1000, "checkpoint_minutes": OFTEN})
    arguments = [sys.executable, "-c", PARENT, *command(rundir.path)]
    parent = subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment())
    assert parent.stdout is not None
    engine = int(parent.stdout.readline())
    try:
        _at_step(rundir, parent)
        parent.kill()
        parent.wait()
        wait_for(lambda: gone(engine), timeout=30)
    finally:
        parent.stdout.close()
        if not gone(engine):
            os.kill(engine, signal.SIGKILL)
    last = list(events.read(rundir.events))[-1]
    assert isinstance(last, events.Finished)
    assert (last.status, last.step) == ("stopped", weights(rundir)["step"])


def test_an_engine_that_is_told_to_stop_before_it_begins(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", LONGER)
    rundir.request_stop()
    assert finish(start(rundir)) == 130
    (only,) = events.read(rundir.events)
    assert isinstance(only, events.Finished)
    assert only.status == "stopped"


def _vanished(folder: Path) -> dict[str, Any]:
    write_mnist(folder / "data", packed=True)
    shutil.rmtree(folder / "data")
    return {"data_dir": str(folder / "data"), "batch_size": 2, "dataset": "mnist", "model.name": "mnist-cnn"}


def _diverges(folder: Path) -> dict[str, Any]:
    return FEW | DIVERGING


@pytest.mark.parametrize(
    ("settings", "error"), [(_vanished, "does not exist; create it"), (_diverges, "the loss is (nan|inf) at step")]
)
def test_a_failure_is_the_last_event_in_one_line_and_a_traceback_in_the_log(
    tmp_path: Path, settings: Callable[[Path], dict[str, Any]], error: str
) -> None:
    typed = settings(tmp_path)
    rundir = run_folder(tmp_path / "run", typed, dataset=typed.get("dataset", "digits"))
    assert finish(start(rundir)) == 1
    last = list(events.read(rundir.events))[-1]
    assert isinstance(last, events.Finished)
    assert last.status == "failed"
    assert "\n" not in last.error
    assert re.search(error, last.error)
    assert "Traceback" in rundir.log.read_text()


def test_a_config_that_cannot_be_read_fails_as_an_event(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", {})
    rundir.config.write_text("{torn")
    assert finish(start(rundir)) == 1
    (only,) = events.read(rundir.events)
    assert isinstance(only, events.Finished)
    assert only.status == "failed"
    assert only.error


# --check


def answer(capfdbinary: pytest.CaptureFixture[bytes], request: bytes) -> tuple[int, dict[str, Any]]:
    code = questions.check(request)
    out = capfdbinary.readouterr().out
    assert out.count(b"\n") == 1
    return code, msgspec.json.decode(out)


def asked(dataset: str, typed: dict[str, Any]) -> bytes:
    return msgspec.json.encode(build(dataset, typed))


def test_check_answers_with_facts(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, facts = answer(capfdbinary, asked("digits", {}))
    assert code == 0
    assert (facts["train_images"], facts["test_images"], facts["official_data"]) == (1437, 360, True)
    assert len(facts["data_fingerprint"]) == 12


@pytest.mark.parametrize(
    ("dataset", "typed", "error"),
    [
        ("digits", {"batch_size": 1438}, "batch_size = 1438"),
        ("digits", {"device": "cuda:99"}, "device = cuda:99 is not there"),
        ("mnist", {"data_dir": "/nowhere/at/all"}, "/nowhere/at/all does not exist"),
    ],
)
def test_check_refuses_in_one_line(
    capfdbinary: pytest.CaptureFixture[bytes], dataset: str, typed: dict[str, Any], error: str
) -> None:
    code, said = answer(capfdbinary, asked(dataset, typed))
    assert code == 2
    assert list(said) == ["error"]
    assert error in said["error"]
    assert "\n" not in said["error"]


def test_check_names_a_damaged_file(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    path.write_bytes(path.read_bytes()[:100])
    code, said = answer(capfdbinary, asked("cifar", {"data_dir": str(tmp_path), "batch_size": 2}))
    assert code == 2
    assert str(path) in said["error"]


@pytest.mark.parametrize(
    "request_", [b"", b"{torn", b"\xff\xfe", b"[]", b'{"dataset":"\xff"}', b'{"dataset":"digits"}', b"null"]
)
def test_check_refuses_what_is_no_configuration(capfdbinary: pytest.CaptureFixture[bytes], request_: bytes) -> None:
    code, said = answer(capfdbinary, request_)
    assert code == 2
    assert "the configuration is not valid" in said["error"]


def test_check_is_a_process_that_answers_on_standard_output() -> None:
    code, out, err = ask("--check", stdin=asked("digits", {"device": "cuda:0"}))
    assert code == 2
    assert "this machine has no usable GPU" in msgspec.json.decode(out)["error"]
    assert err == b""


def test_doctor_says_what_is_there(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    code, out, _ = ask("--doctor", str(tmp_path))
    facts = msgspec.json.decode(out)
    assert code == 0
    assert facts["device"] == "cpu"
    assert "20 training and 4 test images, not the official files" in facts["data"]["cifar10"]
    assert "official release" in facts["data"]["digits"]
    assert "no mnist in" in facts["data"]["mnist"]
