"""Whole runs in this process on a tenth of the digits: their events, times, and what a GPU adds."""

import dataclasses
from functools import partial
from pathlib import Path

import pytest
import torch

import engine.__main__ as main
from engine.protocol import event_log, events
from engine.protocol.stop import Stopped
from engine.training.alarm import THRESHOLD
from engine.training.loss_scaler import LossScaler
from engine.training.trainer import Training
from tests.support.engine import of_kind, run_folder, weights
from tests.support.few_digits import FEW, METHODS, train_quickly
from tests.support.training import StopAfter, train


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)


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


def test_an_attempt_says_what_it_does_before_its_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    rundir = run_folder(tmp_path / "run", FEW)
    assert main.train(rundir) == 0
    phases = [event.phase for event in of_kind(rundir, events.Starting)]
    assert phases == ["loading torch", "loading the data", "building the network"]
    assert [type(event) for event in event_log.read(rundir.events)][3] is events.Started


def test_a_run_in_fp16_says_how_many_updates_it_has_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.learner.LossScaler", partial(LossScaler, init_scale=2.0**40))
    rundir = run_folder(tmp_path / "run", FEW | {"precision": "fp16"})
    train(rundir)
    skipped = of_kind(rundir, events.Step)[-1].skipped
    assert 4 < skipped <= 8  # 4 updates in each of 2 epochs
    assert [event.message for event in of_kind(rundir, events.Note) if "skipped" in event.message] == [
        "fp16 has skipped 4 of 4 weight updates so far, because their gradients overflowed"
    ] + ["fp16 has skipped 8 of 8 weight updates so far, because their gradients overflowed"] * (skipped == 8)


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
