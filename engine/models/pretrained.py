"""Loads weights that were trained elsewhere into a network of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.sections import ModelConfig
from engine.models import weight_file
from engine.models.normalize import Normalize
from engine.models.weight_candidates import MEANS, STDS, candidates, counts, is_normalisation
from engine.models.weight_names import Places
from engine.models.weight_sets import weight_sets
from engine.models.weight_values import fault

NAMED_NORMALIZATIONS = {"none": ((0.0,), (1.0,))}  # mean and std


@dataclass(frozen=True)
class Weights:
    """The sets of weights of a file, by name; the preferred set comes first. ordered: as `weight_file.load` says.

    content: everything that the file holds.
    """

    sets: dict[str, dict[str, Tensor]]
    ordered: bool
    content: object = None


@dataclass(frozen=True)
class Loaded:
    """What was loaded, in words, and where it went.

    matched: how the tensors were assigned. normalize: the normalisation of images. source: the set and the module in
    it, "" if nothing else fits. others: further sets and modules that fit and hold other values. places: the name in
    the set for each tensor of the network. ignored: the names of tensors beside the network.
    """

    matched: str
    normalize: str
    source: str
    others: tuple[str, ...]
    places: Places
    ignored: tuple[str, ...]


def read(path: Path) -> Weights:
    """The weights in a file. Raises: ConfigError, if the file holds none, or as `weight_file.load`."""
    content, ordered = weight_file.load(path)
    if not (sets := weight_sets(content)):
        raise ConfigError(f"{path} holds no weights: save model.state_dict(), alone or under the key `state_dict`")
    return Weights(sets, ordered, content)


def load_into(
    model: nn.Module, weights: Weights, config: ModelConfig, facts: DatasetFacts, normalize: str = "", key: str = ""
) -> Loaded:
    """Load weights into a network of `build_network`.

    The tensors are matched by name if the names are ours or those of the field's common implementations, else by order
    among the tensors of one kind and shape. normalize, key: as in EvalRequest.

    Raises: ConfigError, naming the first tensor that has no match, or holds values that are no weights.
    """
    own = {name: value for name, value in model.state_dict().items() if counts(name) and not name.startswith("0.")}
    found = candidates(own, weights.sets, weights.ordered, config, key)
    taken = found[0]
    view, places = taken.view, taken.places_in_set()
    _check_values({places[name]: value for name, value in taken.taken().items()})
    model.load_state_dict(taken.taken(), strict=False)
    normalization = model[0]  # type: ignore[index]  # build_network makes a Sequential
    assert isinstance(normalization, Normalize)
    return Loaded(
        matched=taken.how,
        normalize=_set_normalisation(normalization, view.beside, facts, normalize, config.user_code is not None),
        source=view.label if len(found) > 1 or key else "",
        others=tuple(other.view.label for other in found[1:] if not other.equals(taken)),
        places=places,
        ignored=tuple(name for name in view.beside if not is_normalisation(name)),
    )


def _check_values(tensors: Mapping[str, Tensor]) -> None:
    if bad := next(filter(None, (fault(name, value) for name, value in tensors.items())), ""):
        raise ConfigError(bad)


def _set_normalisation(
    layer: Normalize, beside: Mapping[str, Tensor], facts: DatasetFacts, how: str, plain: bool
) -> str:
    """Set the normalisation of images, and return a description of it. plain: whether the network takes images in
    [0,1] unless `how` or the file says otherwise, as networks of the user's own do.

    Raises: ConfigError, if `how` is not empty, none, dataset or MEAN/STD.
    """
    if not how and (buffers := _buffers_in(beside, facts)):
        _set_buffers(layer, *buffers)
        return "the file's mean and std"
    if plain and not how:
        how = "none"
    if how in ("", "dataset"):
        _set_buffers(layer, torch.tensor(facts.mean), torch.tensor(facts.std))
        return "the data set's mean and std"
    mean, std = NAMED_NORMALIZATIONS.get(how) or _parse(how, facts.channels)
    _set_buffers(layer, torch.tensor(mean), torch.tensor(std))
    return how


def _buffers_in(beside: Mapping[str, Tensor], facts: DatasetFacts) -> tuple[Tensor, Tensor] | None:
    """The mean and std of the file's normalisation layer that is closest to the network, or None.

    Raises: ConfigError, if they hold anything but finite numbers, or the std is not positive.
    """

    def of_layer(names: tuple[str, ...]) -> list[str]:
        found = [name for name in beside if name.rpartition(".")[2] in names]
        found = [name for name in found if beside[name].numel() in (1, facts.channels)]
        return sorted(found, key=lambda name: name.count("."))

    means, stds = of_layer(MEANS), of_layer(STDS)
    if not means or not stds:
        return None
    mean, std = beside[means[0]], beside[stds[0]]
    _check_values({means[0]: mean, stds[0]: std})
    if not bool((std > 0).all()):
        raise ConfigError(f"the tensor {stds[0]} holds a standard deviation that is not positive; give --normalize")
    return mean, std


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
