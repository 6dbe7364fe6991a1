"""The classifiers of the package timm by name, with new random weights. timm is loaded only if a run uses it."""

from torch import nn

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.networks import TIMM
from engine.config.sections import ModelConfig
from engine.config.suggest import did_you_mean


def timm_classifier(config: ModelConfig, facts: DatasetFacts) -> nn.Module:
    """The network `timm:NAME` for a data set. `model.args` are further arguments of `timm.create_model`.

    Raises: ConfigError, if timm is not installed, has no such network, or does not take the arguments.
    """
    name = config.name.removeprefix(TIMM)
    try:
        import timm
    except ImportError:
        raise ConfigError(
            f"model.name = {config.name}: the package timm is missing; pip install 'fastadv[timm]'"
        ) from None
    if not timm.is_model(name):
        hint = did_you_mean(name, timm.list_models())
        raise ConfigError(f"model.name = {config.name}: timm has no such network{f' ({hint})' if hint else ''}")
    known = {"num_classes": facts.classes, "in_chans": facts.channels, "pretrained": False}
    try:
        network: nn.Module = timm.create_model(name, **(known | config.arguments))
    except Exception as error:  # networks raise different exceptions for arguments that they do not take
        words = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise ConfigError(f"model.args: timm cannot make {name} with these arguments ({words})") from None
    return network
