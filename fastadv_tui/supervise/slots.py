"""The slots of a host: one for each GPU and one for the CPU. A slot is a lock on a file, so it ends with its holder."""

import os
from collections.abc import Sequence
from pathlib import Path

from engine.protocol.cores import RUNS_ON_HOST
from fastadv_tui.errors import DeviceError
from fastadv_tui.hardware import gpus
from fastadv_tui.supervise.locks import try_lock

CPU = "cpu"
WAYS_OUT = "see `nvidia-smi`, or train on the CPU: --device cpu"


def environment(device: str, slots: int = 1) -> dict[str, str]:
    """The environment variables that tell the engine its device, and how many runs may share the host's cores.

    device: `cpu` or the UUID of a GPU or MIG instance. slots: runs that may use such a device at the same time. Read
    before CUDA_VISIBLE_DEVICES is set to the one device.
    """
    if device == CPU:
        return {"FASTADV_DEVICE": "cpu", RUNS_ON_HOST: str(slots)}
    working = sum(not found.problem for found in gpus.visible(gpus.read().devices))
    return {"FASTADV_DEVICE": "cuda", gpus.VISIBLE: device, RUNS_ON_HOST: str(max(working, 1) * slots)}


class Slot:
    """A held slot. `handle` is the lock's file descriptor; a child that inherits `handle` holds the slot, too."""

    def __init__(self, device: str, handle: int) -> None:
        self.device, self.handle = device, handle

    def environment(self, slots: int = 1) -> dict[str, str]:
        """As `environment`, of the slot's device."""
        return environment(self.device, slots)


def free_slot(folder: Path, device: str, slots: int) -> Slot | None:
    """A free slot of a device; None if there is none. slots: how many slots the device has for this run.

    folder: the slots folder of this host. Raises: OSError.
    """
    name = device.replace("/", ":")  # drivers before 470 name an instance MIG-GPU-UUID/1/0
    for number in range(slots):
        if (handle := try_lock(folder / f"{name}.{number}")) is not None:
            return Slot(device, handle)
    return None


def devices_for(wanted: str) -> tuple[str, ...]:
    """The devices that a run may take: `cpu` or UUIDs of GPUs and MIG instances.

    wanted: the setting `device`. `auto`: any visible GPU, or the CPU on a machine without one. `cuda:N`: number N of
    the visible devices. A GPU that is lost keeps its number. Raises: DeviceError, if there is no such device, or if
    `auto` finds GPUs and none of them works: a run that was meant for a GPU would take days on the CPU.
    """
    if wanted == CPU or (wanted == "auto" and gpus.hidden()):
        return (CPU,)
    found = gpus.read()
    visible = gpus.visible(found.devices)
    if found.driver_error and not gpus.hidden():
        raise DeviceError(f"device = {wanted}: the GPU driver gives an error ({found.driver_error}); {WAYS_OUT}")
    if wanted == "auto" and found.devices and not visible:
        words = f"{gpus.VISIBLE}={os.environ[gpus.VISIBLE]}"
        raise DeviceError(f"device = auto: {words} names no GPU of this machine; correct it, or type --device cpu")
    if wanted == "auto":
        return _all_that_work(visible)
    number = int(wanted.partition(":")[2])
    if number >= len(visible):
        count = sum(not device.problem for device in visible)
        there = f"this machine has {count} usable GPU(s)" if count else "this machine has no usable GPU"
        raise DeviceError(f"device = {wanted} is not there: {there}; use --device auto or cpu")
    if visible[number].problem:
        raise DeviceError(f"device = {wanted}: {visible[number].problem}; use --device auto or another GPU")
    return (visible[number].uuid,)


def takes_gpu(wanted: str) -> bool:
    """Whether a run would get the slot of a GPU. wanted: the setting `device`. Raises: DeviceError."""
    return CPU not in devices_for(wanted)


def _all_that_work(visible: Sequence[gpus.Device]) -> tuple[str, ...]:
    """The GPUs that work, or the CPU if there is no GPU. Raises: DeviceError, if there are GPUs and none works."""
    working = tuple(device.uuid for device in visible if not device.problem)
    broken = [device.problem for device in visible if device.problem]
    if not working and broken:
        raise DeviceError(f"device = auto: no GPU works: {', '.join(broken)}; {WAYS_OUT}")
    return working or (CPU,)
