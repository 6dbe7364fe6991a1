"""The device that a run trains on."""

import os

import torch

from engine.config.errors import ConfigError
from engine.runtime.no_gpu import can_use_gpu, why_no_gpu

# `cpu` or `cuda`: the device of the run's slot in the queue, with CUDA_VISIBLE_DEVICES set to match.
DEVICE_VARIABLE = "FASTADV_DEVICE"


def pick(name: str) -> torch.device:
    """The device of a run: the device of its slot, else the device `name` (auto: the first GPU, else the CPU).

    Raises: ConfigError, if this machine does not have the device, or the device does not work.
    """
    slot = os.environ.get(DEVICE_VARIABLE, "")
    if slot == "cuda":
        check_gpu(name)
        return _tried(torch.device("cuda:0"), name)
    if slot == "cpu" or name == "cpu" or (name == "auto" and not can_use_gpu()):
        return torch.device("cpu")
    place = "cuda:0" if name == "auto" else name
    check(place)
    return _tried(torch.device(place), name)


def check(name: str) -> None:
    """Raises: ConfigError, if `name` is a GPU that this machine does not have."""
    if not name.startswith("cuda"):
        return
    count = torch.cuda.device_count() if can_use_gpu() else 0
    if int(name.partition(":")[2]) >= count:
        there = f"this machine has {count} usable GPU(s)" if count else "this machine has no usable GPU"
        raise ConfigError(f"device = {name} is not there: {there}; use --device auto or cpu")


def check_gpu(name: str) -> None:
    """Check whether torch can use the GPUs that this machine has. name: of the device that was asked for.

    A GPU is never replaced by the CPU without a word: such a run would take days. Raises: ConfigError.
    """
    if why := why_no_gpu():
        raise ConfigError(
            f"device = {name}: torch cannot use this machine's GPU: {why}; or train on the CPU: --device cpu"
        )


def _tried(device: torch.device, name: str) -> torch.device:
    """The GPU, after a first calculation on it. Raises: ConfigError, if it is broken, full, or held by others alone."""
    try:
        torch.ones(1, device=device).add_(1).item()
    except RuntimeError as error:
        cause = str(error).strip().partition("\n")[0]
        ways_out = "see `nvidia-smi`, use another GPU, or train on the CPU: --device cpu"
        raise ConfigError(f"device = {name}: the GPU does not work or is not free: {cause}; {ways_out}") from None
    return device
