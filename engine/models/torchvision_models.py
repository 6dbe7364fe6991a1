"""The classifiers of torchvision by name, with new random weights."""

import inspect

from torch import nn

from engine.config.errors import ConfigError
from engine.config.suggest import did_you_mean

AUXILIARY = ("googlenet", "inception_v3")  # return a tuple in training unless aux_logits is off


def known_names() -> list[str]:
    """The names that `classifier` takes: without quantised copies, and without networks for other tasks."""
    import torchvision  # takes a second, and most runs use our own networks

    return list(torchvision.models.list_models(module=torchvision.models))


def classifier(name: str, classes: int) -> nn.Module:
    """The torchvision network `name`, for a number of classes.

    Raises: ConfigError, if torchvision has no such classifier.
    """
    import torchvision

    if name not in known_names():
        hint = did_you_mean(name, known_names())
        raise ConfigError(f"model.name = {name}: torchvision has no such classifier{f' ({hint})' if hint else ''}")
    builder = torchvision.models.get_model_builder(name)
    options = {"aux_logits": False, "init_weights": True} if name in AUXILIARY else {}
    assert "weights" in inspect.signature(builder).parameters
    network: nn.Module = builder(weights=None, num_classes=classes, **options)
    return network
