"""The light optimizers compute what torch's optimizers compute, bit for bit, and wrap nothing."""

import copy

import pytest
import torch
from torch import nn

from engine.training.optim import light
from tests.support.networks import digits_model

STEPS = 5
HOW = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "fused": True},
    "Adam": {"lr": 0.01, "weight_decay": 5e-4, "foreach": True},
}


@pytest.mark.parametrize("name", HOW)
def test_weights_and_state_agree_with_torch(name: str) -> None:
    ours, theirs = digits_model(), digits_model()
    one = getattr(light, name)(ours.parameters(), **HOW[name])
    two = getattr(torch.optim, name)(theirs.parameters(), **HOW[name])
    for number in range(STEPS):
        for model, optimizer in ((ours, one), (theirs, two)):
            _backward(model, optimizer, number)
            optimizer.step()
        one.load_state_dict(copy.deepcopy(one.state_dict()))
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert str(one.state_dict()) == str(two.state_dict())


def _backward(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    optimizer.zero_grad()
    x = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    model(x).square().sum().backward()


@pytest.mark.parametrize("name", HOW)
def test_a_step_needs_no_gradients_of_its_own(name: str) -> None:
    model = digits_model()
    optimizer = getattr(light, name)(model.parameters(), **HOW[name])
    _backward(model, optimizer, 0)
    optimizer.step()
    assert all(p.grad_fn is None and p.is_leaf and p.requires_grad for p in model.parameters())
    assert torch.is_grad_enabled()
