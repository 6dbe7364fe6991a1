"""ResNet18 at CIFAR size computes what torchvision's does without the stem of ImageNet."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.config.datasets import datasets
from engine.config.sections import ModelConfig
from engine.models import pretrained
from engine.models.build import build_network

FACTS = datasets()["cifar10"].facts
CONFIG = ModelConfig(name="resnet18-cifar")


def torchvisions() -> nn.Module:
    """torchvision's network with the first layers of the CIFAR form, and statistics that are not those of the start."""
    import torchvision

    torch.manual_seed(0)
    network: nn.Module = torchvision.models.resnet18(num_classes=10)
    network.conv1, network.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    for name, value in network.named_buffers():
        if "running" in name:
            value.copy_(torch.rand(value.shape) + 0.5)
    return network.eval()


def as_robustbench(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of RobustBench, of kuangliu/pytorch-cifar and of FastAT_Benchmark."""
    return {name.replace("downsample", "shortcut").replace("fc.", "linear."): value for name, value in state.items()}


@pytest.mark.parametrize("named", [as_robustbench, dict], ids=["robustbench", "torchvision"])
def test_weights_give_the_logits_of_torchvisions_network(tmp_path: Path, named: type) -> None:
    theirs = torchvisions()
    torch.save(named(theirs.state_dict()), tmp_path / "weights.pt")
    model = build_network(CONFIG, FACTS).eval()
    loaded = pretrained.load_into(model, pretrained.read(tmp_path / "weights.pt"), CONFIG, FACTS, "none")
    assert loaded.matched == "by name"
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_the_network_has_its_published_number_of_parameters() -> None:
    """11.17M: kuangliu/pytorch-cifar, whose network the others took."""
    assert sum(p.numel() for p in build_network(CONFIG, FACTS).parameters()) == 11_173_962


def test_width_and_depth_settings_shrink_the_network() -> None:
    model = build_network(ModelConfig(name="resnet18-cifar", width=3, depth=1, activation="silu"), FACTS)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d) and layer.padding != (0, 0)]
    widths = [layer.out_channels for layer in layers]
    assert widths == [3, 3, 3, 6, 6, 12, 12, 24, 24]
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert not [layer for layer in model.modules() if isinstance(layer, nn.ReLU)]
