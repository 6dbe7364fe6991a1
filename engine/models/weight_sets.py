"""Finds the sets of weights in a checkpoint: average and raw weights, teacher and student, generations of a network."""

import re
from collections.abc import Iterator, Mapping

from torch import Tensor

from engine.config.sendable import sendable

# Where training scripts keep a network's tensors in a checkpoint, the preferred ones first.
PREFERRED = ("averaged", "state_dict", "model_state_dict", "model", "net", "network", "student", "weights")
# Keys of tensors that are no network's: the state of optimizers, schedules, scalers and random numbers.
NO_NETWORK = re.compile(
    r"optim|sched|scaler|amp$|^rng|rng_state|callbacks|loops|hyper_parameters|history", re.IGNORECASE
)
MAX_DEPTH = 5
MAX_MODULES = 32  # nested modules in the name of a tensor; a file with longer names would take hours


def weight_sets(content: object) -> dict[str, dict[str, Tensor]]:
    """The tensors of each set by name. A set is called by its keys, with dots between them; "" is the whole content.

    The preferred set comes first. Values that are no tensors are left out.
    """
    found = dict(_sets(content, "", 0))
    return dict(sorted(found.items(), key=lambda item: _rank(item[0])))


def unwrapped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without the part that all names begin with. Wrappers add such parts: `module.`, `backbone.`, `0.`."""
    found = dict(tensors)
    while (
        len(found) > 1 and len({name.partition(".")[0] for name in found}) == 1 and all("." in name for name in found)
    ):
        found = {name.partition(".")[2]: value for name, value in found.items()}
    return found


def parts(tensors: Mapping[str, Tensor], least: int) -> dict[str, dict[str, Tensor]]:
    """The tensors below each module with `least` tensors or more, by the name of the module; "" is all of them.

    The whole comes first, then preferred names, and of a network and its copy inside another module the network.
    """
    below: dict[str, dict[str, Tensor]] = {"": dict(tensors)}
    for name, value in tensors.items():
        words = name.split(".")
        for end in range(1, min(len(words), MAX_MODULES)):
            below.setdefault(".".join(words[:end]), {})[".".join(words[end:])] = value
    large = {module: inside for module, inside in below.items() if len(inside) >= least}
    return dict(sorted(large.items(), key=lambda item: (bool(item[0]), *_rank(item[0]))))


def _sets(content: object, path: str, depth: int) -> Iterator[tuple[str, dict[str, Tensor]]]:
    if isinstance(content, list | tuple):
        content = dict(enumerate(content))
    if not isinstance(content, Mapping) or depth > MAX_DEPTH:
        return
    inner = [
        found
        for key, value in content.items()
        if not NO_NETWORK.search(str(key))
        for found in _sets(value, sendable(f"{path}.{key}" if path else str(key)), depth + 1)
    ]
    tensors = {
        sendable(str(key)): value
        for key, value in content.items()
        if isinstance(value, Tensor) and not value.is_nested  # a nested tensor has no shape
    }
    if any(value.ndim for value in tensors.values()):
        yield path, tensors
    yield from inner


def _rank(path: str) -> tuple[int, int]:
    """Preferred names come first, and then the sets closest to the top."""
    last = path.rpartition(".")[2]
    return PREFERRED.index(last) if last in PREFERRED else len(PREFERRED), path.count(".") + bool(path)
