"""The network with folded BatchNorm computes what the model computes, but for rounding."""

import copy

import pytest
import torch
from torch import Tensor, nn

from engine.config.datasets import datasets
from engine.config.sections import ModelConfig
from engine.models.build import build_network
from engine.models.fold_batchnorm import folded
from engine.runtime.eval_mode import evaluating

FACTS = datasets()["cifar10"].facts
NETWORKS = [
    ModelConfig(name="preact-resnet18", width=8),
    ModelConfig(name="preact-resnet18", width=8, activation="silu"),
    ModelConfig(name="pooled-cnn", width=8, activation="gelu"),
    ModelConfig(name="resnet18"),
    ModelConfig(name="resnet18-cifar", width=8),
    ModelConfig(name="wideresnet-10-2"),
]


def used(config: ModelConfig) -> nn.Module:
    """A network whose BatchNorm layers have statistics, scales and shifts other than 0 and 1."""
    torch.manual_seed(0)
    model = build_network(config, FACTS)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for name, low in (("running_mean", -0.5), ("running_var", 0.5), ("weight", -1.5), ("bias", -0.5)):
                getattr(layer, name).data.uniform_(low, 1.5)
    return model


def image_gradient(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    logits = model(x)
    return logits.detach(), torch.autograd.grad(logits[:, 0].sum(), x)[0]


@pytest.mark.parametrize("config", NETWORKS, ids=lambda config: f"{config.name}-{config.activation}")
def test_a_folded_network_computes_the_same_logits_but_for_rounding(config: ModelConfig) -> None:
    model, x = used(config), torch.rand(4, 3, 32, 32)
    with evaluating(model):
        other = folded(model, torch.float32)
        for one, two in zip(image_gradient(model, x), image_gradient(other, x), strict=True):
            assert torch.allclose(one, two, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


@pytest.mark.parametrize(("config", "left"), list(zip(NETWORKS, [9, 9, 3, 0, 0, 3], strict=True)), ids=str)
def test_batchnorm_is_folded_into_a_convolution_before_it(config: ModelConfig, left: int) -> None:
    """These are the second one of each block of PreActResNet18, and in the pooled network all that follow no pool."""
    model = used(config).eval()
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in folded(model, torch.bfloat16).modules()) == left


def test_folding_does_not_change_the_model_itself() -> None:
    model = used(NETWORKS[0]).eval()
    before = copy.deepcopy(model.state_dict())
    other = folded(model, torch.bfloat16)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.requires_grad and p.dtype == torch.float32 for p in model.parameters())
    assert not any(p.requires_grad for p in other.parameters())
    weights = [layer.weight for layer in other.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert {weight.dtype for weight in weights} == {torch.bfloat16}


def test_a_network_that_cannot_be_traced_is_copied_unchanged() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 900, 10))

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.layers(x)
            return logits if logits.sum() > 0 else 2 * logits

    model, x = Branching().eval(), torch.rand(4, 3, 32, 32)
    other = folded(model, torch.float32)
    assert isinstance(other, Branching)
    assert other is not model
    assert torch.allclose(other(x), model(x), atol=1e-5)


def test_random_numbers_of_a_network_are_new_in_each_pass_of_its_copy() -> None:
    """torch.fx would keep those of the pass that it traced."""

    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.norm(self.conv(x)) + torch.rand(4, 1, 1)
            return found

    copied, x = folded(Noisy().eval(), torch.float32), torch.rand(1, 3, 2, 2)
    assert not torch.equal(copied(x), copied(x))
