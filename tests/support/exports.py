"""Networks with weights that no default hides, and checkpoints of them as a run leaves them."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.config.datasets import facts_of
from engine.config.networks import NETWORKS_WITH_WIDTH
from engine.config.presets import build
from engine.config.run import RunConfig
from engine.export.trained import Trained
from engine.models.build import build_network
from engine.training import checkpoint

DATASET_OF = {"digits-cnn": "digits", "mnist-cnn": "mnist"}
SMALL = {"wideresnet-28-10": "wideresnet-16-1", "wideresnet-34-10": "wideresnet-10-2"}  # in place of large networks


def config_of(name: str, **settings: Any) -> RunConfig:
    """The configuration of a small network of this kind."""
    width = {"model.width": 4} if name in NETWORKS_WITH_WIDTH else {}
    name = SMALL.get(name, name)
    return build(DATASET_OF.get(name, "cifar10"), {"model.name": name, **width, **settings})


def random_network(config: RunConfig, seed: int = 0) -> nn.Module:
    """A network in eval mode whose BatchNorm statistics and biases are random, too."""
    torch.manual_seed(seed)
    network = build_network(config.model, facts_of(config.dataset)).eval()
    for name, value in network.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.3)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return network


def trained(name: str, **settings: Any) -> Trained:
    config = config_of(name, **settings)
    return Trained(random_network(config), config, facts_of(config.dataset), 7)


def images_for(of: Trained, count: int = 5) -> torch.Tensor:
    facts = of.facts
    return torch.rand(count, facts.channels, facts.height, facts.width, generator=torch.Generator().manual_seed(1))


def logits(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(images)
    return found


def write_checkpoint(path: Path, config: RunConfig, network: nn.Module, **further: Any) -> None:
    facts = facts_of(config.dataset)
    state = {"model": network.state_dict(), "step": 7, **checkpoint.data_state(facts, "images", "abc"), **further}
    checkpoint.save(path, config, state)
