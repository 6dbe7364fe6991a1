"""How many operations a training step takes, and that the host waits for the device at log points only.

A GPU starts about one kernel for each operation, so a step with many of them is bound by the host.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.attacks.threat import Threat
from engine.config.datasets import datasets
from engine.config.methods import methods
from engine.config.presets import build
from engine.data.minibatch import Minibatch
from engine.models.build import build_network
from engine.training.captured_step import WARM_UP_STEPS
from engine.training.learner import Learner
from engine.training.methods.step import step_of
from engine.training.reporter import Reporter
from engine.training.trainer import Training
from tests.support.engine import run_folder
from tests.support.graphs import StandInGraphs
from tests.support.networks import CPU
from tests.support.operations import Operations
from tests.support.training import train

STEPS = 3  # NuAT and GAT do more in every second step


def steps(
    dataset: str, typed: dict[str, Any], precision: str, preset: str | None = None, capturable: bool = False
) -> list[Operations]:
    """The operations of each of the first steps of a run, on made-up images.

    capturable: whether they are those of a GPU, where a CUDA graph may hold them.
    """
    config = build(dataset, typed, preset)
    facts = datasets()[config.dataset].facts
    model = build_network(config.model, facts)
    learner = Learner(model, config.optim, lambda step: 0.01, CPU, precision, total_steps=STEPS, capturable=capturable)
    step, threat, delta, found = step_of(config), Threat(config.eps, config.norm), None, []
    for number in range(STEPS):
        rng = torch.Generator().manual_seed(number)
        x = torch.rand(10, facts.channels, facts.height, facts.width, generator=rng)
        batch = Minibatch(x.to(memory_format=torch.channels_last), torch.arange(10), torch.arange(10), delta)
        with Operations() as operations:
            delta = step(learner, batch, threat, rng)
            learner.advance()
        found.append(operations)
    return found


@pytest.mark.parametrize(
    ("preset", "typed", "most"), [(None, {"method.name": "fgsm"}, 461), ("speed", {}, 750)], ids=["fgsm", "speed"]
)
@pytest.mark.parametrize("capturable", [False, True])
def test_a_step_takes_no_more_operations_than_it_did(
    preset: str | None, typed: dict[str, Any], most: int, capturable: bool
) -> None:
    found = steps("cifar10", {"model.width": 4, **typed}, "bf16", preset, capturable)[-1]
    assert 200 < found.total <= most, found.by_name.most_common()


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("name", methods())
def test_the_host_waits_for_the_device_in_no_step_of_any_method(name: str, precision: str) -> None:
    small = {"model.name": "preact-resnet18", "model.width": 2, "model.depth": 1, "optim.clip_norm": 1.0}
    for optimizer in ("sgd", "adam", "muon"):
        typed = {"method.name": name, "optim.name": optimizer, "optim.average": 0.9, **small}
        for operations in steps("digits", typed, precision, capturable=True):
            assert not operations.waits


@pytest.mark.parametrize("captured", [False, True])
def test_the_host_waits_for_the_device_in_an_epoch_at_log_points_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, captured: bool
) -> None:
    """With everything that an epoch does between two log points: minibatches, schedule, stop checks, progress."""
    graphs = StandInGraphs() if captured else None
    monkeypatch.setattr("engine.training.setup.open_graphs", lambda device: graphs)
    monkeypatch.setattr(Reporter, "_log", lambda reporter: None)
    monkeypatch.setattr(Reporter, "check_finite", lambda reporter: None)
    within: Counter[str] = Counter()
    counted = Training._train_epoch

    def train_epoch(training: Training, epoch: int) -> None:
        with Operations() as operations:
            counted(training, epoch)
        within.update(operations.waits)
        within["updates"] += training.learner.step

    monkeypatch.setattr(Training, "_train_epoch", train_epoch)
    train(run_folder(tmp_path / "run", {"epochs": 1, "model.width": 4, "optim.average": 0.9, "device": "auto"}))
    assert within == {"updates": 23}
    assert graphs is None or graphs.replays == 22 - WARM_UP_STEPS  # the last minibatch is smaller


@pytest.mark.parametrize(
    "work",
    [
        lambda x: float(x.sum()),
        lambda x: bool(x.any()),
        lambda x: x[x > 0.5],
        lambda x: x.masked_fill_(x > 0.5, 0.0).nonzero(),
        lambda x: torch.equal(x, x),
        lambda x: torch.linalg.svdvals(x),
    ],
)
def test_the_counter_sees_a_wait(work: Any) -> None:
    with Operations() as operations:
        work(torch.eye(3))
    assert operations.waits.total() >= 1


def test_the_counter_counts_no_views_and_sees_no_wait_where_there_is_none() -> None:
    x, chosen = torch.eye(3), torch.arange(3)
    with Operations() as operations:
        (x.T[0] + x[chosen, 1]).relu_()
    assert operations.by_name == {"index": 1, "add": 1, "relu_": 1}
    assert not operations.waits
