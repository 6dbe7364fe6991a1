"""Files in the layouts of RobustBench's zoo become the networks that the zoo builds of them.

The networks are written here once more, after RobustBench's description of them.
"""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.config.datasets import facts_of
from engine.config.presets import build
from engine.models import pretrained
from engine.models.build import build_network
from fastadv_tui.fetch.zoo import ZOO, ZooModel
from fastadv_tui.launch.submission import configure

WIDTH = 8  # of the first stage in place of 64, which decides nothing here


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int, of_input: bool) -> None:
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(before), nn.BatchNorm2d(after)
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.of_input = of_input
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn1(x).relu()
        kept = self.shortcut(x if self.of_input else out) if hasattr(self, "shortcut") else x
        found: Tensor = self.conv2(self.bn2(self.conv1(out)).relu()) + kept
        return found


class PreActResNet(nn.Module):
    """of_input: RobustBench's PreActBlock; else its PreActBlockV2. norm: its `bn_before_fc`."""

    def __init__(self, classes: int, of_input: bool, norm: bool) -> None:
        super().__init__()
        self.conv1, channels = nn.Conv2d(3, WIDTH, 3, 1, 1, bias=False), WIDTH
        for stage in range(4):
            blocks = []
            for number in range(2):
                blocks.append(Block(channels, WIDTH * 2**stage, 2 if stage and not number else 1, of_input))
                channels = WIDTH * 2**stage
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        if norm:
            self.bn = nn.BatchNorm2d(channels)
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        out = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        out = self.bn(out).relu() if hasattr(self, "bn") else out
        found: Tensor = self.linear(nn.functional.avg_pool2d(out, 4).flatten(1))
        return found


# By name: the shortcut is of the block's input; BatchNorm before the last layer; mean and std, of RobustBench's code.
NONE = ([0.0], [1.0])
CIFAR10 = ([0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616])
CIFAR100 = (
    [0.5070751592371323, 0.48654887331495095, 0.4409178433670343],
    [0.2673342858792401, 0.2564384629170883, 0.27615047132568404],
)
LAYOUTS = {
    "Wong2020Fast": (True, False, CIFAR10),
    "Andriushchenko2020Understanding": (True, False, NONE),
    "Rice2020Overfitting-L2": (False, True, CIFAR10),
    "Rice2020Overfitting-CIFAR100": (False, True, CIFAR100),
    "Addepalli2021Towards_PARN18-CIFAR100": (False, True, NONE),
}


def file_of(model: ZooModel, network: nn.Module, path: Path) -> None:
    """As the authors saved it: a bare state dict, or one that the wrapper of several GPUs has renamed, or two."""
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    other = {name: torch.zeros_like(value) for name, value in state.items()}
    torch.save({"best": other, "last": state} if model.key else {"state_dict": state}, path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_file_of_the_zoo_becomes_the_network_that_the_zoo_builds(name: str, home: Path, tmp_path: Path) -> None:
    model, (of_input, norm, (mean, std)) = ZOO[name], LAYOUTS[name]
    facts = facts_of(model.dataset)
    torch.manual_seed(0)
    theirs = PreActResNet(facts.classes, of_input, norm).eval()
    for key, value in theirs.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2)
    file_of(model, theirs, tmp_path / "w.pt")
    typed = {**model.settings, "norm": model.norm, "eps": model.eps, "model.width": str(WIDTH)}
    config = configure(model.dataset, typed)
    ours = build_network(config.model, facts).eval()
    read = pretrained.read(tmp_path / "w.pt")
    loaded = pretrained.load_into(ours, read, config.model, facts, model.normalize, model.key)
    assert loaded.matched == "by name"
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        wanted = theirs((images - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1))
        torch.testing.assert_close(ours(images), wanted, rtol=1e-4, atol=1e-5)
    assert wanted.std() > 1e-3


def test_every_model_of_the_zoo_can_be_asked_for() -> None:
    assert {*LAYOUTS} <= {*ZOO}
    for name, model in ZOO.items():
        assert build(model.dataset, {"eps": 8 / 255, "model.name": model.settings["model.name"]}), name
        assert 20 <= len(model.drive) <= 40
