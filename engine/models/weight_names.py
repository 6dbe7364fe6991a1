"""Assigns the tensors of a file to those of a network: by names, or by order and shape where no name is known."""

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from engine.config.errors import ConfigError
from engine.config.networks import NETWORKS_WITH_WIDTH, family
from engine.config.sections import ModelConfig
from engine.models.build import COMMON_NAMES

Places = dict[str, str]  # the name in the file for each of the network's tensors


def by_name(own: Mapping[str, Tensor], given: Mapping[str, Tensor], config: ModelConfig) -> Places | None:
    """Places by names that are ours, torchvision's or those of the field's common implementations; None if unknown.

    own: the tensors of the network as `N.name`, with the number that a Sequential gives to the network.
    """
    for names in _namings(own, config):
        plain = {_plain(name): name for name in given} if names is not None else {name: name for name in given}
        wanted = names or {name: name.partition(".")[2] for name in own}
        if {wanted[name]: value.shape for name, value in own.items()} == {
            name: given[source].shape for name, source in plain.items()
        }:
            return {name: plain[wanted[name]] for name in own}
    return None


def by_order(own: Mapping[str, Tensor], given: Mapping[str, Tensor], ordered: bool, config: ModelConfig) -> Places:
    """Places by order among the tensors of one kind (weight, bias, ...) and shape.

    ordered: whether the order of `given` can be that of the modules.

    Raises: ConfigError, naming the first tensor that has no place, or if the order decides and is not the modules'.
    """
    places = _next_of_their_kind(own, given, family(config.name) in NETWORKS_WITH_WIDTH)
    kinds = {(name.rpartition(".")[2], value.shape) for name, value in own.items()}
    if (not ordered or [*given] == sorted(given)) and len(kinds) < len(own):  # sorted: not the order of the modules
        raise ConfigError(
            "the tensors cannot be matched: their names are unknown, and their order in the file is not that of the "
            "modules; save model.state_dict() with torch.save"
        )
    return places


def _namings(own: Mapping[str, Tensor], config: ModelConfig) -> list[Places | None]:
    """Known names for our tensors. None stands for our own names, which are torchvision's for its networks."""
    if family(config.name) not in COMMON_NAMES:
        return [None]
    modules = COMMON_NAMES[family(config.name)](config)
    return [{name: _plain(_common(name, modules)) for name in own}, None]


def _plain(name: str) -> str:
    """A name of one implementation in the words of the others."""
    for theirs, ours in (("downsample.", "shortcut."), ("convShortcut.", "shortcut."), ("shortcut.0.", "shortcut.")):
        name = name.replace(theirs, ours)
    return name.replace("fc.", "linear.")


def _common(name: str, modules: Mapping[str, str]) -> str:
    """`1.3.conv1.weight` is `layer1.2.conv1.weight`."""
    _, number, rest = name.split(".", 2)
    return f"{modules[number]}.{rest}"


def _next_of_their_kind(own: Mapping[str, Tensor], given: Mapping[str, Tensor], has_width: bool) -> Places:
    """has_width: whether the width of the network is a setting, for the message of an error."""
    waiting: dict[tuple[str, torch.Size], list[str]] = defaultdict(list)
    for name, value in given.items():
        waiting[name.rpartition(".")[2], value.shape].append(name)
    places = {}
    for name, value in own.items():
        kind = name.rpartition(".")[2], value.shape
        if not waiting[kind]:
            raise ConfigError(_no_match_message(name, value, own, given, has_width))
        places[name] = waiting[kind].pop(0)
    left = [name for names in waiting.values() for name in names]
    if left:
        raise ConfigError(
            f"the weights do not fit the network: {len(left)} tensor(s) are left over, such as {left[0]}; "
            "choose another --model"
        )
    return places


def _no_match_message(
    name: str, value: Tensor, own: Mapping[str, Tensor], given: Mapping[str, Tensor], has_width: bool
) -> str:
    counts = f"the file has {len(given)} tensors, the network {len(own)}"
    message = f"no tensor of the file fits {name} {tuple(value.shape)}: {counts}"
    first = next((tensor for tensor in given.values() if tensor.ndim == 4), None)
    if has_width and first is not None and value.ndim == 4 and first.shape[0] != value.shape[0]:
        message += (
            f"; the file's first convolution has {first.shape[0]} channels, so try --set model.width={first.shape[0]}"
        )
    else:
        message += "; choose another --model"
    return message
