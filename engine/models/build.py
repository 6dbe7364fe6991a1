"""Makes a network by its name, with the normalisation of images as the first layer."""

from collections.abc import Callable
from pathlib import Path

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from engine.config.datasets import DatasetFacts
from engine.config.networks import TIMM, WIDERESNET, family
from engine.config.sections import ModelConfig
from engine.models.cifar_resnet import cifar_resnet18
from engine.models.cifar_resnet import common_names as cifar_names
from engine.models.fan_out import draw_fan_out
from engine.models.normalize import Normalize
from engine.models.pooled_cnn import pooled_cnn
from engine.models.preact_resnet import common_names as preact_names
from engine.models.preact_resnet import preact_resnet18
from engine.models.small_cnns import digits_cnn, mnist_cnn
from engine.models.timm_models import timm_classifier
from engine.models.torchvision_models import classifier
from engine.models.user_network import user_network
from engine.models.wide_resnet import common_names as wide_names
from engine.models.wide_resnet import wide_resnet

MODELS: dict[str, Callable[[ModelConfig, DatasetFacts], nn.Module]] = {  # by family
    "preact-resnet18": preact_resnet18,
    "resnet18-cifar": cifar_resnet18,
    WIDERESNET: wide_resnet,
    "pooled-cnn": pooled_cnn,
    "mnist-cnn": mnist_cnn,
    "digits-cnn": digits_cnn,
}
RANDOM_LAYERS = {"StochasticDepth"}  # classes of torchvision by name, because importing torchvision takes a second
COMMON_NAMES = {  # names of modules in the field's common implementations, by family
    "preact-resnet18": preact_names,
    "resnet18-cifar": cifar_names,
    WIDERESNET: wide_names,
}


def has_random_layers(model: nn.Module) -> bool:
    """Whether a network draws random numbers in training, so that two passes over the same images differ."""
    layers = (m for m in model.modules() if isinstance(m, _DropoutNd) or type(m).__name__ in RANDOM_LAYERS)
    return bool(getattr(model, "draws", False)) or any(layer.p for layer in layers)


def has_unknown_layers(config: ModelConfig) -> bool:
    """Whether the network is the user's or timm's, so that only a try can tell what its layers do."""
    return config.user_code is not None or config.name.startswith(TIMM)


def build_network(config: ModelConfig, facts: DatasetFacts, folder: Path | None = None) -> nn.Module:
    """A network for a data set, in train mode, with new random weights from torch's global generator.

    The network takes images in [0,1], (B, C, H, W), and returns logits, (B, classes). folder: the run directory, whose
    copy of the user's code runs; None for a network that belongs to no run.

    Raises: ConfigError, if there is no such network, or the user's code cannot be used.
    """
    network = _network(config, facts, folder)
    if config.init == "fan-out":
        network.apply(draw_fan_out)
    mean, std = facts.mean, facts.std
    if config.user_code is not None:  # it takes images in [0,1]
        mean, std = (0.0,) * facts.channels, (1.0,) * facts.channels
    return nn.Sequential(Normalize(mean, std), network).train()


def _network(config: ModelConfig, facts: DatasetFacts, folder: Path | None) -> nn.Module:
    if config.user_code is not None:
        return user_network(config, facts, folder)
    if config.name.startswith(TIMM):
        return timm_classifier(config, facts)
    own = MODELS.get(family(config.name))
    return own(config, facts) if own else classifier(config.name, facts.classes)
