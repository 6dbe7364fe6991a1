"""Copies the state of a training into main memory, without waiting for the GPU."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


class HostCopy(NamedTuple):
    """A copy that does not change while the training goes on. wait: call it before reading the copy's tensors."""

    state: Any
    wait: Callable[[], object]


def copy_to_host(state: Any, device: torch.device) -> HostCopy:
    """Copy the tensors on `device`, in nested dicts, lists and tuples, as they are after the work asked for so far.

    The copy takes as many bytes of main memory as the tensors have. What occurs twice in `state` is copied once.

    A GPU copies into pinned memory. It does so between the training steps, on their stream: no step changes a tensor
    before it is copied, the process does not wait, and the copy needs no memory of the GPU. A stream of its own would
    save the GPU a few milliseconds, but only with a second copy of the state in its memory.
    """
    copied = _copied(state, {})
    if device.type != "cuda":
        return HostCopy(copied, lambda: None)
    return HostCopy(copied, torch.cuda.current_stream(device).record_event().synchronize)


def _copied(value: Any, known: dict[int, Any]) -> Any:
    """known: the copies made so far, by the id of the original."""
    if id(value) not in known:
        known[id(value)] = _new_copy(value, known)
    return known[id(value)]


def _new_copy(value: Any, known: dict[int, Any]) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to("cpu", non_blocking=True, copy=True)  # from a GPU: into pinned memory
    if isinstance(value, dict):
        result = copy.copy(value)  # also the attributes of a state dict, which checkpoints have
        result.update((key, _copied(each, known)) for key, each in value.items())
        return result
    if isinstance(value, list | tuple):
        return type(value)(_copied(each, known) for each in value)
    return value
