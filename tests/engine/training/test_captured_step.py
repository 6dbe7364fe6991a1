"""A captured step trains as the step itself, bit by bit. Where no step can be captured, the training goes on without.

A stand-in for CUDA graphs repeats the operations of a step with the numbers and tensors of its capture, on the CPU.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from msgspec import structs
from torch import Tensor, nn

import engine.__main__ as main
from engine.attacks.threat import Threat
from engine.config.errors import ConfigError
from engine.config.method_section import MethodConfig
from engine.config.methods import methods
from engine.config.presets import build
from engine.data.memory import digits
from engine.data.minibatch import Minibatch
from engine.evaluation.evaluation import Accuracy
from engine.models.build import build_network
from engine.protocol import events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from engine.runtime.cuda_graph import CaptureError
from engine.training.captured_step import NOT_CAPTURED, WARM_UP_STEPS
from engine.training.learner import Learner
from engine.training.optim.rate import Rate
from engine.training.validation import Validation
from tests.support.engine import assert_same_training, of_kind, weights
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
    monkeypatch.setattr(Validation, "guard_accuracy", lambda validation, epoch: Accuracy(0.9, 0.6, 1000))
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


@pytest.mark.parametrize("looks", [2, 6, 11])  # in the warm-up, after a replay, after a smaller minibatch
@pytest.mark.parametrize("name", ["fgsm from the previous perturbation", "fgsm-uap", "sora"])
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
        return Accuracy(0.9, 0.1 if next(collapses) else 0.6, 1000)

    monkeypatch.setattr(Validation, "guard_accuracy", collapses_once)
    typed = {"on_collapse": "rollback", "method.init": "previous"}
    collapses = iter([False, True, False, False])
    rundir = folder(tmp_path / "run", typed)
    train(rundir)
    assert len(of_kind(rundir, events.RolledBack)) == 1
    assert graphs.captures == 3  # fgsm, PGD-2, and the safer fgsm
    collapses = iter([False, True, False, False])
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
    take = Rate.__init__
    monkeypatch.setattr(Rate, "__init__", lambda rate, optimizer, device, _: take(rate, optimizer, device, False))


def _noise_of_the_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the noise come from numbers that the host has drawn, which a graph repeats."""

    def uniform(threat: Threat, x: Tensor, rng: torch.Generator, *others: Any) -> Tensor:
        values = numpy.random.default_rng(rng.initial_seed()).uniform(-1, 1, tuple(x.shape))
        return threat.project(x, threat.eps * torch.from_numpy(values).float())

    monkeypatch.setattr(Threat, "uniform", uniform)


@pytest.mark.parametrize("baked_in", [_rate_of_the_capture, _noise_of_the_capture])
def test_a_number_of_the_host_that_a_graph_would_repeat_is_noticed_here(
    tmp_path: Path,
    graphs: StandInGraphs,
    monkeypatch: pytest.MonkeyPatch,
    baked_in: Callable[[pytest.MonkeyPatch], None],
) -> None:
    """Otherwise the tests above would not see a learning rate or a noise that is always that of the capture."""
    baked_in(monkeypatch)
    rundir = folder(tmp_path / "run")
    train(rundir)
    assert graphs.replays == EPOCHS * FULL - WARM_UP_STEPS
    with pytest.raises(AssertionError):
        assert_same_training(eager(tmp_path / "eager", {}), rundir)


def test_a_generator_that_is_not_the_graphs_own_is_no_generator_of_a_captured_step(
    tmp_path: Path, graphs: StandInGraphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    uniform = Threat.uniform
    monkeypatch.setattr(
        Threat, "uniform", lambda threat, x, rng, *others: uniform(threat, x, torch.Generator(), *others)
    )
    rundir = folder(tmp_path / "run")
    train(rundir)
    assert graphs.replays == 0
    assert "not in capture mode" in notes(rundir)[0]


@pytest.mark.parametrize("name", methods())
def test_a_method_may_be_captured_if_its_captured_steps_are_its_steps(
    tmp_path: Path, graphs: StandInGraphs, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The others would train on other losses, because a graph repeats the choices of one step."""
    spec = methods()[name]
    monkeypatch.setattr(MethodConfig, "spec", property(lambda method: structs.replace(spec, capturable=True)))
    typed = {"method.name": name, "epochs": 1, **({"method.steps": 2} if "steps" in spec.defaults else {})}
    rundir, other = folder(tmp_path / "run", typed), folder(tmp_path / "eager", typed | {"capture": "off"})
    train(rundir)
    train(other)
    assert graphs.captures == 1
    found, expected = (weights(each)["model"].values() for each in (rundir, other))
    assert all(torch.equal(p, q) for p, q in zip(found, expected, strict=True)) == spec.capturable


@pytest.mark.parametrize(
    ("typed", "cause"),
    [
        ({"method.name": "gat"}, "the steps of method gat differ from one another"),
        ({"micro_batch": 8}, "micro_batch splits the training step"),
        ({"precision": "fp16"}, "in fp16 the host must read in each step whether a gradient has overflowed"),
    ],
)
def test_a_run_whose_steps_cannot_be_captured_says_why(
    tmp_path: Path, graphs: StandInGraphs, typed: dict[str, Any], cause: str
) -> None:
    rundir = folder(tmp_path / "run", typed)
    train(rundir)
    assert notes(rundir) == [f"{NOT_CAPTURED}: {cause}"]
    assert graphs.warmed == 0
    with pytest.raises(ConfigError, match=f"^capture = on, but {cause}; use --set capture=auto$"):
        build("digits", typed | {"capture": "on"})


def test_a_cpu_trains_without_a_word_on_graphs_and_refuses_to_capture(tmp_path: Path) -> None:
    rundir = folder(tmp_path / "run")
    train(rundir)
    assert notes(rundir) == []
    with pytest.raises(ConfigError, match=r"^capture = on, but the run trains on the CPU; use --set capture=auto$"):
        build("digits", {"capture": "on", "device": "cpu"})
    with pytest.raises(ConfigError, match=r"^capture = on, but the run trains on the CPU; use --set capture=auto$"):
        train(folder(tmp_path / "other", {"capture": "on"}))


FAILURES: dict[str, Exception] = {
    "RuntimeError: CUDA error: operation not permitted": RuntimeError("CUDA error: operation not permitted\nand more"),
    "it needs 3.0 GB of GPU memory, and 1.0 are free": CaptureError("it needs 3.0 GB of GPU memory, and 1.0 are free"),
    "OutOfMemoryError: CUDA out of memory.": torch.OutOfMemoryError("CUDA out of memory."),
}


@pytest.mark.parametrize("cause", FAILURES)
def test_a_capture_that_fails_is_noted_once_and_harms_no_weights(
    tmp_path: Path, graphs: StandInGraphs, cause: str
) -> None:
    graphs.error = FAILURES[cause]
    rundir = folder(tmp_path / "run", SAME["sora"])
    train(rundir)
    assert notes(rundir) == [f"{NOT_CAPTURED}: {cause}"]
    assert (graphs.warmed, graphs.captures, graphs.replays) == (WARM_UP_STEPS, 1, 0)
    assert_same_training(eager(tmp_path / "eager", SAME["sora"]), rundir)


def test_a_run_that_must_be_captured_fails_with_one_line(tmp_path: Path, graphs: StandInGraphs) -> None:
    rundir = folder(tmp_path / "run", {"capture": "on"})
    graphs.error = RuntimeError("no graph here")
    assert main.train(rundir) == 1
    (finished,) = of_kind(rundir, events.Finished)
    assert finished.error == "capture = on, but RuntimeError: no graph here; use --set capture=auto"
    assert finished.step == WARM_UP_STEPS


def test_a_method_that_remembers_other_things_after_each_step_is_not_captured(
    tmp_path: Path, graphs: StandInGraphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def growing(learner: Learner, batch: Minibatch, *_: object, **__: object) -> None:
        learner.memory[f"step {learner.step}"] = batch.x.sum()
        learner.update(batch.x, batch.y)

    spec = structs.replace(methods()["standard"], step=growing)
    monkeypatch.setattr(MethodConfig, "spec", property(lambda method: spec))
    rundir = folder(tmp_path / "run", {"method.name": "standard", "epochs": 1})
    train(rundir)
    assert notes(rundir) == [f"{NOT_CAPTURED}: the method does not leave the same tensors after each step"]
    assert len(weights(rundir)["memory"]) == FULL + 1
