"""What exports know about our networks: the function that builds one, and the names of the field's implementations."""

from collections.abc import Callable, Mapping

from torch import nn

from engine.config.datasets import DatasetFacts
from engine.config.networks import family
from engine.config.sections import ModelConfig
from engine.models.build import COMMON_NAMES, MODELS

# By family, a part of a name of ours and the same part in RobustBench's implementation.
RENAMED = {
    "preact-resnet18": (("shortcut.weight", "shortcut.0.weight"),),  # it has a Sequential around the convolution
    "wideresnet": (("shortcut.weight", "convShortcut.weight"), ("linear.", "fc.")),
}


def builder_of(name: str) -> Callable[[ModelConfig, DatasetFacts], nn.Module] | None:
    """The function that builds a network of our own; None for the network of another package."""
    return MODELS.get(family(name))


def common_modules(config: ModelConfig) -> Mapping[str, str] | None:
    """The common names of modules by their number in our network; None if our names are all there is."""
    names = COMMON_NAMES.get(family(config.name))
    return names(config) if names else None


def common_parts(name: str, network: str) -> str:
    """A name of a tensor with the parts that the common implementation of the network calls otherwise."""
    for ours, theirs in RENAMED.get(family(network), ()):
        name = name.replace(ours, theirs)
    return name
