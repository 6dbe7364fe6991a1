"""The learning rate is a tensor where a CUDA graph reads it, and a number everywhere else and in checkpoints."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.config.sections import OptimConfig
from engine.training.learner import Learner
from tests.support.by_hand import network
from tests.support.networks import CPU, CountingLearner, digits

OPTIMIZERS: list[dict[str, Any]] = [
    {"name": "sgd", "average": 0.9},
    {"name": "sgd", "nesterov": True},
    {"name": "adam", "lr": 0.01},
    {"name": "muon", "lr": 0.02},
]


def learner(optim: dict[str, Any], capturable: bool, seed: int = 0) -> Learner:
    def lr_at(step: int) -> float:
        return 0.01 / (step + 1)

    return CountingLearner(network(seed), OptimConfig(**optim), lr_at, CPU, "fp32", capturable=capturable)


def update(found: Learner, first: int, last: int) -> Learner:
    x, y, _, _ = digits()
    for step in range(first, last):
        found.update(x[16 * step : 16 * step + 16], y[16 * step : 16 * step + 16])
    return found


def weights(found: Learner) -> list[Tensor]:
    return [p.detach() for p in found.model.parameters()]


@pytest.mark.parametrize("optim", OPTIMIZERS)
def test_a_rate_in_a_tensor_makes_the_updates_of_a_number(optim: dict[str, Any]) -> None:
    numbers, tensors = (update(learner(optim, capturable), 0, 6) for capturable in (False, True))
    for p, q, start in zip(weights(numbers), weights(tensors), network().parameters(), strict=True):
        assert (p - q).norm() <= 1e-4 * (p - start).norm()
    assert tensors.last_lr == numbers.last_lr == pytest.approx(0.01 / 6)


def test_all_groups_share_one_tensor_that_stays_when_a_state_is_loaded() -> None:
    found = learner({"name": "muon", "decay_norms": False}, capturable=True)
    rates = {id(group["lr"]) for group in found.optimizer.param_groups}
    assert len(found.optimizer.param_groups) > 2
    assert len(rates) == 1
    saved = update(learner({"name": "muon", "decay_norms": False}, capturable=False), 0, 2)
    found.load_state_dict(copy.deepcopy(saved.state_dict()))
    assert {id(group["lr"]) for group in found.optimizer.param_groups} == rates
    assert float(found.optimizer.param_groups[0]["lr"]) == pytest.approx(0.01 / 3)


@pytest.mark.parametrize("optim", OPTIMIZERS)
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("now", [False, True])
def test_a_state_is_loaded_with_and_without_graphs(optim: dict[str, Any], before: bool, now: bool) -> None:
    saved = update(learner(optim, before), 0, 3)
    state = copy.deepcopy(saved.state_dict())
    assert all(isinstance(group["lr"], float) for group in state["optimizer"]["param_groups"])
    loaded = learner(optim, now, seed=1)
    loaded.load_state_dict(state)
    whole = update(learner(optim, now), 0, 5)
    for p, q in zip(weights(update(loaded, 3, 5)), weights(whole), strict=True):
        if before == now:
            assert torch.equal(p, q)
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)
    assert all(group.get("capturable", now) == now for group in loaded.optimizer.param_groups)
