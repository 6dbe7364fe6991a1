"""torchvision's classifiers by name, freshly initialised."""

import inspect

from torch import nn

from engine.config.errors import ConfigError
from engine.config.suggest import did_you_mean

AUXILIARY = ("googlenet", "inception_v3")  # in training they return a tuple, unless told not to


def known() -> list[str]:
    """Names that `classifier` takes; without those of quantised copies and of other tasks."""
    import torchvision  # takes a second, and most networks are our own

    return list(torchvision.models.list_models(module=torchvision.models))


def classifier(name: str, classes: int) -> nn.Module:
    """The network of that name for so many classes.

    Raises: ConfigError, if torchvision has none.
    """
    import torchvision

    if name not in known():
        hint = did_you_mean(name, known())
        raise ConfigError(f"model.name = {name}: torchvision has no such classifier{f' ({hint})' if hint else ''}")
    builder = torchvision.models.get_model_builder(name)
    options = {"aux_logits": False, "init_weights": True} if name in AUXILIARY else {}
    assert "weights" in inspect.signature(builder).parameters
    network: nn.Module = builder(weights=None, num_classes=classes, **options)
    return network
