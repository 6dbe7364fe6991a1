"""Networks that take images in [0,1], shape (B, C, H, W), and return logits: normalisation is their first layer."""

from collections.abc import Callable

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from engine.config.datasets import DatasetFacts
from engine.config.sections import ModelConfig
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
DRAWING = {"StochasticDepth"}  # torchvision's, named here as to load it takes a second
COMMON_NAMES = {"preact-resnet18": common_names}  # of modules, where the field has names for them


def has_random_layers(model: nn.Module) -> bool:
    """Whether a network in training draws at random, so that two passes over the same images differ."""
    random = (layer for layer in model.modules() if isinstance(layer, _DropoutNd) or type(layer).__name__ in DRAWING)
    return any(layer.p for layer in random)


def build_network(config: ModelConfig, facts: DatasetFacts) -> nn.Module:
    """A freshly initialised network for a data set, in train mode; draws from torch's global generator.

    Raises: ConfigError, if the network is neither ours nor torchvision's.
    """
    own = MODELS.get(config.name)
    network = own(config, facts) if own else classifier(config.name, facts.classes)
    return nn.Sequential(Normalize(facts.mean, facts.std), network)
