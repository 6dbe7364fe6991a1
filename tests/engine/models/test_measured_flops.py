"""The operations of unknown layers are counted while they compute."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.config.datasets import datasets
from engine.config.sections import ModelConfig
from engine.models.build import build_network
from engine.models.flops import count_passes
from engine.models.measured_flops import measure
from tests.support import user_networks


@pytest.mark.parametrize(
    ("name", "dataset"), [("digits-cnn", "digits"), ("preact-resnet18", "cifar10"), ("mnist-cnn", "mnist")]
)
def test_known_networks_cost_what_their_layers_say(name: str, dataset: str) -> None:
    facts = datasets()[dataset].facts
    assert facts is not None
    config = ModelConfig(name=name, width=4, depth=1)
    known = count_passes(config, facts)
    measured = measure(build_network(config, facts), torch.zeros(1, facts.channels, facts.height, facts.width))
    assert measured == (known.forward, known.to_image, known.to_weights, known.to_both)


def test_products_without_a_layer_are_counted_by_hand() -> None:
    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(64, 10))

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1) @ self.weight

    model = Product()
    assert measure(model, torch.zeros(1, 1, 8, 8)) == (2 * 640, 2 * 640, 2 * 640, 4 * 640)
    assert model.weight.requires_grad
    assert model.weight.grad is None


def test_a_network_of_the_users_own_is_counted(tmp_path: Path) -> None:
    facts = datasets()["digits"].facts
    assert facts is not None
    passes = count_passes(ModelConfig(name=user_networks.write(tmp_path / "net.py")), facts)
    convolution, linear = 2 * 64 * 8 * 9, 2 * 8 * 64 * 10
    assert passes.forward == passes.to_image == convolution + linear
    assert passes.to_weights == convolution + 2 * linear
    assert passes.to_both == 2 * (convolution + linear)
