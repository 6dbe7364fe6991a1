"""Finds what fits a network among the sets of weights in a file, and the modules in those sets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from engine.config.errors import ConfigError
from engine.config.sections import ModelConfig
from engine.models.weight_names import Places, by_name, by_order
from engine.models.weight_sets import parts, unwrapped
from engine.models.weight_values import same

MEANS, STDS = ("mean", "mu", "new_mean"), ("std", "sigma", "new_std")  # names of the buffers of normalisation layers
# Modules that training scripts register beside the layers of a network; their tensors compute no logits. `sub_block1`
# is in every WideResNet of the code of TRADES, and in none of its forward passes.
BESIDE = re.compile(r"(^|\.)(criterion|\w*loss\w*|metrics?|\w+_acc|\w*accuracy|sub_block1)(\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class View:
    """A set or a module in it. tensors: what could be the network's. beside: the other tensors of the set."""

    of_set: str
    module: str
    tensors: dict[str, Tensor]
    beside: dict[str, Tensor]

    @property
    def label(self) -> str:
        return ".".join(filter(None, (self.of_set, self.module)))

    @property
    def names(self) -> tuple[str, ...]:
        """What `--key` may call the tensors."""
        return tuple(dict.fromkeys(filter(None, (self.label, self.of_set, self.module))))


@dataclass(frozen=True)
class Candidate:
    """Tensors that fit a network. places: names in the view. how: how they were matched, in words."""

    view: View
    places: Places
    how: str

    def taken(self) -> dict[str, Tensor]:
        """The tensors by the names of the network's."""
        return {name: self.view.tensors[source] for name, source in self.places.items()}

    def places_in_set(self) -> Places:
        """The places with the names in the set, which begin with the module's."""
        inside = f"{self.view.module}." if self.view.module else ""
        return {name: inside + source for name, source in self.places.items()}

    def equals(self, other: "Candidate") -> bool:
        """Whether both hold the same values."""
        mine, theirs = self.taken(), other.taken()
        return all(same(value, theirs[name]) for name, value in mine.items())


def candidates(
    own: Mapping[str, Tensor], sets: Mapping[str, dict[str, Tensor]], ordered: bool, config: ModelConfig, key: str
) -> list[Candidate]:
    """Sets, and modules in them, that fit the tensors `own` of a network; at least one. The preferred one comes first.

    A match by name excludes those by order. key: the set or the module to look in; "": all.

    Raises: ConfigError, with the reason why the preferred set does not fit, or if there is nothing under `key`.
    """
    all_views = _views(sets, {name.partition(".")[2] for name in own})
    views = [view for view in all_views if key in ("", *view.names)]
    if not views:
        known = ", ".join(dict.fromkeys(name for view in all_views for name in view.names))
        raise ConfigError(f"--key {key}: the file has no such weights{known and f' (it has {known})'}")
    named = [Candidate(view, places, "by name") for view in views if (places := by_name(own, view.tensors, config))]
    return named or _in_order(own, views, ordered, config)


def counts(name: str) -> bool:
    """Whether a tensor decides what a network computes. BatchNorm's counter of minibatches does not."""
    return not name.endswith("num_batches_tracked")


def is_normalisation(name: str) -> bool:
    """Whether a tensor is called as the mean or std of the images is."""
    return name.rpartition(".")[2] in (*MEANS, *STDS)


def _views(sets: Mapping[str, dict[str, Tensor]], wanted: set[str]) -> list[View]:
    """wanted: the names of the network's tensors, of which a network of the user's own may have any."""
    views = []
    for of_set, tensors in sets.items():
        whole = unwrapped({name: value for name, value in tensors.items() if counts(name)})
        # A set that is too small is kept, so that the error can say what does not fit.
        for module, inside in (parts(whole, len(wanted)) or {"": whole}).items():
            layers = {name: value for name, value in inside.items() if name in wanted or not _is_beside(name, value)}
            taken = {f"{module}.{name}" if module else name for name in layers}
            beside = {name: value for name, value in whole.items() if name not in taken}
            views.append(View(of_set, module, layers, beside))
    return views


def _is_beside(name: str, value: Tensor) -> bool:
    """Whether a tensor is no layer's: a counter, a buffer of a loss, or the mean and std of the images."""
    return value.ndim == 0 or bool(BESIDE.search(name)) or is_normalisation(name)


def _in_order(own: Mapping[str, Tensor], views: list[View], ordered: bool, config: ModelConfig) -> list[Candidate]:
    found, errors = [], []
    for view in views:
        try:
            places = by_order(own, view.tensors, ordered, config)
        except ConfigError as error:
            errors.append(error)
        else:
            found.append(Candidate(view, places, "by order and shape; --explain shows them"))
    if not found:
        raise errors[0]
    return found
