"""Loads weights that were trained elsewhere, from PyTorch state dicts and safetensors files, into a network of ours.

Only tensors are ever unpickled.
"""

import zipfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.sections import ModelConfig
from engine.models.build import COMMON_NAMES
from engine.models.normalize import Normalize

STATE_DICT_KEYS = (
    "averaged",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "weights",
)  # where training scripts keep the state dict in a checkpoint
MEANS, STDS = ("mean", "mu"), ("std", "sigma")  # names of the buffers of normalisation layers
NAMED_NORMALIZATIONS = {"none": ((0.0,), (1.0,))}  # mean and std


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, without the prefixes of wrappers.

    Raises: ConfigError, if the file is missing, damaged, or holds anything but tensors.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return _without_prefixes(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; type the path of a file of weights") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception:  # a damaged file can raise nearly any exception
        raise ConfigError(f"{path} cannot be read as weights: {_why_unreadable(path)}") from None
    return _without_prefixes(_find_state_dict(content, path))


def load_state_dict_from(
    model: nn.Module,
    given: Mapping[str, Tensor],
    config: ModelConfig,
    facts: DatasetFacts,
    normalize: str,
    ordered: bool,
) -> tuple[str, str]:
    """Load tensors into a network of `build_network`. Returns how the tensors were matched, and the normalisation.

    The tensors are matched by name if the names are ours or those of the field's common implementations, else by order
    among the tensors of one kind and shape. normalize: as in EvalRequest; ordered: whether the file keeps the order of
    the modules (safetensors does not).

    Raises: ConfigError, naming the first tensor that has no match or holds a value that is not finite.
    """
    _check_finite(given)
    own = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    given = {name: value for name, value in given.items() if "num_batches" not in name}
    normalization = model[0]  # type: ignore[index]  # build_network makes a Sequential
    assert isinstance(normalization, Normalize)
    if {name: value.shape for name, value in own.items()} == {name: value.shape for name, value in given.items()}:
        model.load_state_dict(dict(given), strict=False)
        description = _normalise(normalization, facts, normalize) if normalize else "the file's mean and std"
        return "by name", description
    network = {name: value for name, value in own.items() if not name.startswith("0.")}
    buffers, tensors = _split_normalisation(given, facts)
    places, how = _match(network, tensors, config, ordered)
    model.load_state_dict({name: tensors[source] for name, source in places.items()}, strict=False)
    if buffers and not normalize:
        _set_buffers(normalization, *buffers)
        return how, "the file's mean and std"
    return how, _normalise(normalization, facts, normalize or "dataset")


def _why_unreadable(path: Path) -> str:
    if zipfile.is_zipfile(path):  # so torch.save wrote it completely
        return "it holds objects other than tensors, which could run code; save model.state_dict() alone"
    return "it is damaged, or it is neither a PyTorch file nor named .safetensors"


def _find_state_dict(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, dict):
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return content
        for key in STATE_DICT_KEYS:
            if isinstance(content.get(key), dict):
                return _find_state_dict(content[key], path)
    raise ConfigError(f"{path} holds no weights: save model.state_dict(), alone or under the key `state_dict`")


def _without_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without the part that all names begin with. Wrappers add such parts: `module.`, `backbone.`, `0.`."""
    found = dict(tensors)
    while (
        len(found) > 1 and len({name.partition(".")[0] for name in found}) == 1 and all("." in name for name in found)
    ):
        found = {name.partition(".")[2]: value for name, value in found.items()}
    return found


def _split_normalisation(
    given: Mapping[str, Tensor], facts: DatasetFacts
) -> tuple[tuple[Tensor, Tensor] | None, dict[str, Tensor]]:
    """The mean and std of a normalisation layer, or None if the file has no such layer, and all other tensors."""

    def of_layer(names: tuple[str, ...]) -> list[str]:
        ends = (name for name in given if name.rpartition(".")[2] in names)
        return [name for name in ends if given[name].numel() in (1, facts.channels)]

    means, stds = of_layer(MEANS), of_layer(STDS)
    rest = {name: value for name, value in given.items() if name not in (*means, *stds)}
    return ((given[means[0]], given[stds[0]]) if means and stds else None), rest


def _match(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], config: ModelConfig, ordered: bool
) -> tuple[dict[str, str], str]:
    """The name in the file for each of our tensors, and how the names were matched."""
    if config.name in COMMON_NAMES:
        common = {name: _common(name, COMMON_NAMES[config.name](config)) for name in own}
        plain = {name.replace("shortcut.0.", "shortcut.").replace("fc.", "linear."): name for name in given}
        shapes = {name: given[source].shape for name, source in plain.items()}
        if shapes == {common[name]: value.shape for name, value in own.items()}:
            return {name: plain[common[name]] for name in own}, "by name"
    if {name.partition(".")[2]: value.shape for name, value in own.items()} == {
        name: value.shape for name, value in given.items()
    }:
        return {name: name.partition(".")[2] for name in own}, "by name"  # the names of torchvision
    places = _match_by_order(own, given)
    kinds = {(name.rpartition(".")[2], value.shape) for name, value in own.items()}
    if (not ordered or [*given] == sorted(given)) and len(kinds) < len(own):  # sorted: not the order of the modules
        raise ConfigError(
            "the tensors cannot be matched: their names are unknown, and their order in the file is not that of the "
            "modules; save model.state_dict() with torch.save"
        )
    return places, "by order and shape"


def _check_finite(given: Mapping[str, Tensor]) -> None:
    bad = next((name for name, value in given.items() if not bool(value.isfinite().all())), None)
    if bad is not None:
        raise ConfigError(f"the tensor {bad} holds NaN or infinity; use weights from before the training diverged")


def _common(name: str, names: Mapping[str, str]) -> str:
    """`1.3.conv1.weight` is `layer1.2.conv1.weight`."""
    _, number, rest = name.split(".", 2)
    return f"{names[number]}.{rest}"


def _match_by_order(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, str]:
    """The name in the file for each of our tensors: the next tensor of the same kind (weight, bias, ...) and shape."""
    waiting: dict[tuple[str, torch.Size], list[str]] = defaultdict(list)
    for name, value in given.items():
        waiting[name.rpartition(".")[2], value.shape].append(name)
    places = {}
    for name, value in own.items():
        kind = name.rpartition(".")[2], value.shape
        if not waiting[kind]:
            raise ConfigError(_no_match_message(name, value, own, given))
        places[name] = waiting[kind].pop(0)
    left = [name for names in waiting.values() for name in names]
    if left:
        raise ConfigError(
            f"the weights do not fit the network: {len(left)} tensor(s) are left over, such as {left[0]}; "
            "choose another --model"
        )
    return places


def _no_match_message(name: str, value: Tensor, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    counts = f"the file has {len(given)} tensors, the network {len(own)}"
    message = f"no tensor of the file fits {name} {tuple(value.shape)}: {counts}"
    first = next((tensor for tensor in given.values() if tensor.ndim == 4), None)
    if first is not None and value.ndim == 4 and first.shape[0] != value.shape[0]:
        message += (
            f"; the file's first convolution has {first.shape[0]} channels, so try --set model.width={first.shape[0]}"
        )
    else:
        message += "; choose another --model"
    return message


def _normalise(layer: Normalize, facts: DatasetFacts, how: str) -> str:
    """Set the normalisation of images, and return a description of it.

    Raises: ConfigError, if `how` is not none, dataset or MEAN/STD.
    """
    if how == "dataset":
        mean, std = facts.mean, facts.std
    else:
        mean, std = NAMED_NORMALIZATIONS.get(how) or _parse(how, facts.channels)
    _set_buffers(layer, torch.tensor(mean), torch.tensor(std))
    return "the data set's mean and std" if how == "dataset" else how


def _parse(how: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std of `0.5/0.25`, or with a number for each channel, of `0.49,0.48,0.45/0.25,0.24,0.26`."""
    try:
        mean, std = (tuple(map(float, part.split(","))) for part in how.split("/"))
        if len(mean) not in (1, channels) or len(std) not in (1, channels) or min(std) <= 0:
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"--normalize {how!r}: use none, dataset or MEAN/STD, with 1 or {channels} numbers each"
        ) from None
    return mean, std


def _set_buffers(layer: Normalize, mean: Tensor, std: Tensor) -> None:
    for buffer, value in ((layer.mean, mean), (layer.std, std)):
        buffer.copy_(value.reshape(1, -1, 1, 1).expand_as(buffer))
