"""Makes a network by its name, with the normalisation of images as the first layer."""

from collections.abc import Callable

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from engine.config.datasets import DatasetFacts
from engine.config.sections import ModelConfig
from engine.models.fan_out import draw_fan_out
from engine.models.normalize import Normalize
from engine.models.pooled_cnn import pooled_cnn
from engine.models.preact_resnet import common_names, preact_resnet18
from engine.models.small_cnns import digits_cnn, mnist_cnn
from engine.models.torchvision_models import classifier

MODELS: dict[str, Callable[[ModelConfig, DatasetFacts], nn.Module]] = {
    "preact-resnet18": preact_resnet18,
    "pooled-cnn": pooled_cnn,
    "mnist-cnn": mnist_cnn,
    "digits-cnn": digits_cnn,
}
RANDOM_LAYERS = {"StochasticDepth"}  # classes of torchvision by name, because importing torchvision takes a second
COMMON_NAMES = {"preact-resnet18": common_names}  # names of modules in the field's common implementations


def has_random_layers(model: nn.Module) -> bool:
    """Whether a network draws random numbers in training, so that two passes over the same images differ."""
    layers = (m for m in model.modules() if isinstance(m, _DropoutNd) or type(m).__name__ in RANDOM_LAYERS)
    return any(layer.p for layer in layers)


def build_network(config: ModelConfig, facts: DatasetFacts) -> nn.Module:
    """A network for a data set, in train mode, with new random weights from torch's global generator.

    The network takes images in [0,1], (B, C, H, W), and returns logits, (B, classes).

    Raises: ConfigError, if neither MODELS nor torchvision has the network.
    """
    own = MODELS.get(config.name)
    network = own(config, facts) if own else classifier(config.name, facts.classes)
    if config.init == "fan-out":
        network.apply(draw_fan_out)
    return nn.Sequential(Normalize(facts.mean, facts.std), network)
