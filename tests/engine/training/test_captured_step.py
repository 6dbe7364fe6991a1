"""A captured step trains as the step itself, bit by bit. Where no step can be captured, the training goes on without.

A stand-in for CUDA graphs repeats the operations of a step with the numbers and tensors of its capture, on the CPU.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec import structs
from torch import nn

import engine.__main__ as main
from engine.config.methods import methods
from engine.config.presets import build
from engine.data.memory import digits
from engine.evaluation.evaluation import Accuracy
from engine.models.build import build_network
from engine.protocol import events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from engine.training.captured_step import NOT_CAPTURED, WARM_UP_STEPS
from engine.training.optim.rate import Rate
from engine.training.updates import Updates
from engine.training.validation import Validation
from tests.support.engine import assert_same_training, of_kind, run_folder, weights
from tests.support.graphs import StandInGraphs
from tests.support.runs import make_run
from tests.support.training import StopAfter, few_digits, train

EPOCHS, FULL = 3, 9  # 9 full minibatches an epoch, and one of 6 images: 30 steps
FEW: dict[str, Any] = {"epochs": EPOCHS, "batch_size": 16, "watch.images": 0}
RESNET = {"model.name": "preact-resnet18", "model.width": 2, "model.depth": 1}
SAME: dict[str, dict[str, Any]] = {
    "standard": {"method.name": "standard"},
    "fgsm": {},
    "fgsm in bf16 with averages": {"precision": "bf16", "optim.average": 0.9, "optim.label_smoothing": 0.1, **RESNET},
    "fgsm from the previous perturbation": {"method.init": "previous"},
    "fgsm in l2": {"norm": "l2", "eps": 0.5},
    "nfgsm": {"method.name": "nfgsm", "optim.nesterov": True, "optim.clip_norm": 0.5},
    "adam": {"optim.name": "adam", "optim.lr": 0.003},
    "muon": {"optim.name": "muon", "optim.average": 0.9, **RESNET},
    "pgd": {"method.name": "pgd", "method.steps": 2, "method.restarts": 2},
    "free": {"method.name": "free", "method.replays": 2},
    "sora": {"method.name": "sora"},
    "fgsm-uap": {"method.name": "fgsm-uap"},
    "trades": {"method.name": "trades", "method.steps": 2, **RESNET},
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "read", lambda folder: few_digits())
    monkeypatch.setattr("engine.protocol.files.os.fsync", lambda handle: None)
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())  # the signal handlers of the test runner stay


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> StandInGraphs:
    """The CPU has graphs."""
    found = StandInGraphs()
    monkeypatch.setattr("engine.training.setup.open_graphs", lambda device: found)
    return found


def folder(path: Path, typed: dict[str, Any] = {}, preset: str | None = None) -> RunDir:  # noqa: B006
    small = {"eval.attack": "none", "model.width": 4, "device": "auto"}
    return make_run(path, chosen=build("digits", small | FEW | typed, preset))


def eager(path: Path, typed: dict[str, Any]) -> RunDir:
    rundir = folder(path, typed | {"capture": "off"})
    train(rundir)
    return rundir


def notes(rundir: RunDir) -> list[str]:
    return [event.message for event in of_kind(rundir, events.Note)]


@pytest.mark.parametrize("name", SAME)
def test_captured_steps_train_as_the_steps_themselves(tmp_path: Path, graphs: StandInGraphs, name: str) -> None:
    """Over 30 steps of a schedule, with a smaller minibatch at the end of each epoch."""
    rundir, updates = folder(tmp_path / "run", SAME[name]), SAME[name].get("method.replays", 1)
    train(rundir)
    steps = EPOCHS * FULL * updates
    assert (graphs.warmed, graphs.captures, graphs.replays) == (WARM_UP_STEPS, 1, steps - WARM_UP_STEPS)
    assert notes(rundir) == []
    assert_same_training(eager(tmp_path / "eager", SAME[name]), rundir)


def test_captured_steps_of_the_preset_speed_train_as_the_steps_themselves(
    tmp_path: Path, graphs: StandInGraphs
) -> None:
    captured, off = (folder(tmp_path / choice, RESNET | {"capture": choice}, "speed") for choice in ("auto", "off"))
    train(captured)
    assert graphs.replays == EPOCHS * FULL - WARM_UP_STEPS
    assert captured.submission().config.optim.name == "muon"
    train(off)
    assert_same_training(captured, off)


@pytest.mark.parametrize("looks", [1, 2, 5, 13, 24])  # in the warm-up, after a replay, after a smaller minibatch
@pytest.mark.parametrize("name", ["fgsm from the previous perturbation", "free", "fgsm-uap", "sora"])
def test_a_resumed_run_warms_up_again_and_ends_with_the_same_numbers(
    tmp_path: Path, graphs: StandInGraphs, name: str, looks: int
) -> None:
    rundir = folder(tmp_path / "run", SAME[name])
    with pytest.raises(Stopped):
        train(rundir, looks)
    before = graphs.warmed
    train(rundir, attempt=2)
    assert graphs.warmed == before + WARM_UP_STEPS
    assert graphs.replays > 0
    assert_same_training(eager(tmp_path / "eager", SAME[name]), rundir)


def test_each_image_size_has_a_capture_of_its_own(tmp_path: Path, graphs: StandInGraphs) -> None:
    typed = {**RESNET, "phases": "0-2:0/6:40 2-3:0/8:30", "method.init": "previous"}
    rundir = folder(tmp_path / "run", typed)
    train(rundir)
    assert (graphs.warmed, graphs.captures) == (2 * WARM_UP_STEPS, 2)
    assert_same_training(eager(tmp_path / "eager", typed), rundir)


def test_a_rollback_captures_the_steps_of_its_methods(
    tmp_path: Path, graphs: StandInGraphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback replaces the state of the optimizer, so that an old graph would write to tensors of nobody."""

    def collapses_once(validation: Validation, epoch: int) -> Accuracy:
        collapsed = validation._learner.step == 20 and validation._config.method.init == "previous"  # type: ignore[attr-defined]
        return Accuracy(0.9, 0.1 if collapsed and next(tries) else 0.6, 1000)

    monkeypatch.setattr(Validation, "guard_accuracy", collapses_once)
    typed = {"on_collapse": "rollback", "method.init": "previous"}
    tries = iter([True, False])
    rundir = folder(tmp_path / "run", typed)
    train(rundir)
    assert len(of_kind(rundir, events.RolledBack)) == 1
    assert graphs.captures == 3  # fgsm, PGD-2, and the safer fgsm
    tries = iter([True, False])
    assert_same_training(eager(tmp_path / "eager", typed), rundir)


def test_dropout_draws_the_same_numbers_in_a_captured_step(
    tmp_path: Path, graphs: StandInGraphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = build_network
    monkeypatch.setattr(
        "engine.training.setup.build_network", lambda *which: nn.Sequential(build(*which), nn.Dropout(0.2))
    )
    rundir = folder(tmp_path / "run")
    train(rundir)
    assert graphs.replays > 0
    assert_same_training(eager(tmp_path / "eager", {}), rundir)


def _rate_of_the_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the optimizer have the learning rate as a number, which a graph repeats."""
    bind = Rate.set

    def as_number(rate: Rate, value: float) -> None:
        rate._tensor = None
        bind(rate, value)

    monkeypatch.setattr(Rate, "set", as_number)


def _seed_of_the_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each captured step draw the same numbers."""
    load = "engine.training.captured_step._CapturedStep._load"
    from engine.training.captured_step import _CapturedStep

    before = _CapturedStep._load

    def seeded(step: Any, batch: Any) -> None:
        before(step, batch)
        torch.default_generator.manual_seed(0)
        step.rng.manual_seed(0)

    monkeypatch.setattr(load, seeded)
