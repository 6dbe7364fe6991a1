"""Micro-batches add up to the update of the whole minibatch."""

import copy

import pytest
import torch
from torch import Tensor, nn

from engine.config.sections import OptimConfig
from engine.training.learner import Learner, MicroBatch
from tests.support.networks import CPU, CountingLearner

SGD = OptimConfig(name="sgd", momentum=0.9, weight_decay=0.01, decay_norms=False)


def network() -> nn.Module:
    """The network has no BatchNorm, because its statistics would be those of each part."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))


def batch(seed: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(10, 1, 8, 8, generator=rng), torch.randint(3, (10,), generator=rng)


def learner(model: nn.Module) -> Learner:
    return CountingLearner(model, SGD, lambda step: 0.1 * (step + 1), CPU, "fp32")


@pytest.mark.parametrize("size", [1, 4, 5, 9])
def test_micro_batches_make_the_update_of_their_whole_minibatch(size: int) -> None:
    model = network()
    whole, parted = learner(copy.deepcopy(model)), learner(model)
    for seed in range(3):
        x, y = batch(seed)
        whole.update(x, y, before=torch.ones(10))
        for begin in range(0, 10, size):
            part = slice(begin, begin + size)
            with parted.part(MicroBatch(len(y[part]) / 10, first=not begin, last=begin + size >= 10)):
                parted.update(x[part], y[part], before=torch.ones(len(y[part])))
    assert (parted.step, parted.last_lr) == (3, pytest.approx(0.3))
    assert parted.figures() == pytest.approx(whole.figures(), rel=1e-5)
    for mine, theirs in zip(parted.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_norm_layers_have_no_weight_decay_if_the_recipe_says_so() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    groups = learner(model).optimizer.param_groups
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {id(p) for layer in (model[0], model[2]) for p in layer.parameters()}
    assert sum(len(group["params"]) for group in groups) == 6
