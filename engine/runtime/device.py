"""The device that a run trains on."""

import os

import torch

from engine.config.errors import ConfigError

# `cpu` or `cuda`: the device of the run's slot in the queue, with CUDA_VISIBLE_DEVICES set to match.
DEVICE_VARIABLE = "FASTADV_DEVICE"


def pick(name: str) -> torch.device:
    """The device of a run: the device of its slot, else the device `name` (auto: the first GPU, else the CPU).

    Raises: ConfigError, if this machine does not have the device.
    """
    name = {"cuda": "cuda:0", "cpu": "cpu"}.get(os.environ.get(DEVICE_VARIABLE, ""), name)
    if name == "auto":
        name = "cuda:0" if torch.cuda.is_available() else "cpu"
    check(name)
    return torch.device(name)


def check(name: str) -> None:
    """Raises: ConfigError, if `name` is a GPU that this machine does not have."""
    if not name.startswith("cuda"):
        return
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(name.partition(":")[2]) >= count:
        there = f"this machine has {count} usable GPU(s)" if count else "this machine has no usable GPU"
        raise ConfigError(f"device = {name} is not there: {there}; use --device auto or cpu")
