"""Weights that were trained elsewhere: plain PyTorch state dicts and safetensors, put into a network of ours.

Nothing is ever unpickled but tensors.
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

NESTED = (
    "averaged",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "weights",
)  # where scripts keep it in a checkpoint
PREFIXES = ("module.", "_orig_mod.", "model.")  # of DataParallel, torch.compile and wrappers
MEANS, STDS = ("mean", "mu"), ("std", "sigma")  # what normalisation layers call their buffers
WORDS = {"none": ((0.0,), (1.0,))}


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, prefixes of wrappers taken off.

    Raises: ConfigError, if it is missing, damaged, or holds anything but tensors.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return _bare(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception:  # a damaged file can raise nearly anything
        raise ConfigError(f"{path} cannot be read as weights: {_why(path)}") from None
    return _bare(_find(content, path))


def load_state_dict_from(
    model: nn.Module,
    given: Mapping[str, Tensor],
    config: ModelConfig,
    facts: DatasetFacts,
    normalize: str,
    ordered: bool,
) -> tuple[str, str]:
    """Put tensors into a network made by `models.build`; returns how they were matched, and the normalisation.

    By name if the names are ours or the field's, else by order among the tensors of one kind and shape.
    normalize: as in EvalRequest; ordered: whether the file keeps the order of the modules (safetensors does not).

    Raises: ConfigError, naming the first tensor that has no place.
    """
    own = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    given = {name: value for name, value in given.items() if "num_batches" not in name}
    normalization = model[0]  # type: ignore[index]  # build() makes a Sequential
    assert isinstance(normalization, Normalize)
    if {name: value.shape for name, value in own.items()} == {name: value.shape for name, value in given.items()}:
        model.load_state_dict(dict(given), strict=False)
        said = _normalise(normalization, facts, normalize) if normalize else "as the file says"
        return "by name", said
    network = {name: value for name, value in own.items() if not name.startswith("0.")}
    buffers, tensors = _split_normalisation(given, facts)
    places, how = _places(network, tensors, config, ordered)
    model.load_state_dict({name: tensors[source] for name, source in places.items()}, strict=False)
    if buffers and not normalize:
        _set(normalization, *buffers)
        return how, "as the file says"
    return how, _normalise(normalization, facts, normalize or "dataset")


def _why(path: Path) -> str:
    if zipfile.is_zipfile(path):  # so it was saved by torch, whole
        return "it holds more than tensors, which could run code; save model.state_dict() alone"
    return "it is damaged, or neither a PyTorch file nor named .safetensors"


def _find(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, dict):
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return content
        for key in NESTED:
            if isinstance(content.get(key), dict):
                return _find(content[key], path)
    raise ConfigError(f"{path} holds no weights: save model.state_dict(), alone or under the key `state_dict`")


def _bare(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = dict(tensors)
    while prefix := next((p for p in PREFIXES if found and all(name.startswith(p) for name in found)), ""):
        found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _split_normalisation(
    given: Mapping[str, Tensor], facts: DatasetFacts
) -> tuple[tuple[Tensor, Tensor] | None, dict[str, Tensor]]:
    """The mean and std of a normalisation layer in the file, if it has one, and all other tensors."""

    def of_layer(names: tuple[str, ...]) -> list[str]:
        ends = (name for name in given if name.rpartition(".")[2] in names)
        return [name for name in ends if given[name].numel() in (1, facts.channels)]

    means, stds = of_layer(MEANS), of_layer(STDS)
    rest = {name: value for name, value in given.items() if name not in (*means, *stds)}
    return ((given[means[0]], given[stds[0]]) if means and stds else None), rest


def _places(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], config: ModelConfig, ordered: bool
) -> tuple[dict[str, str], str]:
    """The name in the file for each of ours, and how it was found."""
    if config.name in COMMON_NAMES:
        common = {name: _common(name, COMMON_NAMES[config.name](config)) for name in own}
        plain = {name.replace("shortcut.0.", "shortcut.").replace("fc.", "linear."): name for name in given}
        shapes = {name: given[source].shape for name, source in plain.items()}
        if shapes == {common[name]: value.shape for name, value in own.items()}:
            return {name: plain[common[name]] for name in own}, "by name"
    if {name.partition(".")[2]: value.shape for name, value in own.items()} == {
        name: value.shape for name, value in given.items()
    }:
        return {name: name.partition(".")[2] for name in own}, "by name"  # torchvision's own
    places = _match(own, given)
    kinds = {(name.rpartition(".")[2], value.shape) for name, value in own.items()}
    if not ordered and len(kinds) < len(own):
        raise ConfigError("the names of its tensors are not known, and safetensors keeps no order; use torch.save")
    return places, "by order and shape"


def _common(name: str, names: Mapping[str, str]) -> str:
    """`1.3.conv1.weight` is `layer1.2.conv1.weight`."""
    _, number, rest = name.split(".", 2)
    return f"{names[number]}.{rest}"


def _match(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, str]:
    """The name in the file for each of ours: the next one of the same kind (weight, bias, ...) and shape."""
    waiting: dict[tuple[str, torch.Size], list[str]] = defaultdict(list)
    for name, value in given.items():
        waiting[name.rpartition(".")[2], value.shape].append(name)
    places = {}
    for name, value in own.items():
        kind = name.rpartition(".")[2], value.shape
        if not waiting[kind]:
            raise ConfigError(_misfit(name, value, own, given))
        places[name] = waiting[kind].pop(0)
    left = [name for names in waiting.values() for name in names]
    if left:
        raise ConfigError(
            f"the file has {len(left)} more tensor(s) than the network, the first {left[0]}: not its weights"
        )
    return places


def _misfit(name: str, value: Tensor, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    said = f"no tensor of the file fits {name} {tuple(value.shape)}: it has {len(given)}, the network {len(own)}"
    first = next((tensor for tensor in given.values() if tensor.ndim == 4), None)
    if first is not None and value.ndim == 4 and first.shape[0] != value.shape[0]:
        said += f"; its first convolution has {first.shape[0]} channels, so try --set model.width={first.shape[0]}"
    return said


def _normalise(layer: Normalize, facts: DatasetFacts, how: str) -> str:
    """Raises: ConfigError, if `how` is not none, dataset or MEAN/STD."""
    if how == "dataset":
        mean, std = facts.mean, facts.std
    else:
        mean, std = WORDS.get(how) or _parse(how, facts.channels)
    _set(layer, torch.tensor(mean), torch.tensor(std))
    return "the data set's mean and std" if how == "dataset" else how


def _parse(how: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """`0.5/0.25`, or one number a channel: `0.49,0.48,0.45/0.25,0.24,0.26`."""
    try:
        mean, std = (tuple(map(float, part.split(","))) for part in how.split("/"))
        if len(mean) not in (1, channels) or len(std) not in (1, channels) or min(std) <= 0:
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"--normalize {how!r}: use none, dataset or MEAN/STD, with 1 or {channels} numbers each"
        ) from None
    return mean, std


def _set(layer: Normalize, mean: Tensor, std: Tensor) -> None:
    for buffer, value in ((layer.mean, mean), (layer.std, std)):
        buffer.copy_(value.reshape(1, -1, 1, 1).expand_as(buffer))
