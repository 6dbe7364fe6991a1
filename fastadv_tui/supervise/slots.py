"""The slots of a host: one for each GPU and one for the CPU. A slot is a lock on a file, so it ends with its holder."""

from pathlib import Path

from fastadv_tui.hardware import gpus
from fastadv_tui.supervise.locks import try_lock

CPU = "cpu"


class Slot:
    """A held slot. `handle` is the lock's file descriptor; a child that inherits `handle` holds the slot, too."""

    def __init__(self, device: str, handle: int) -> None:
        self.device, self.handle = device, handle

    def environment(self) -> dict[str, str]:
        """The environment variables that tell the engine its device."""
        if self.device == CPU:
            return {"FASTADV_DEVICE": "cpu"}
        return {"FASTADV_DEVICE": "cuda", gpus.VISIBLE: self.device}


def free_slot(folder: Path, device: str, slots: int) -> Slot | None:
    """A free slot of a device; None if there is none. slots: how many slots the device has for this run.

    folder: the slots folder of this host. Raises: OSError.
    """
    for number in range(slots):
        if (handle := try_lock(folder / f"{device}.{number}")) is not None:
            return Slot(device, handle)
    return None


def devices_for(wanted: str) -> tuple[str, ...]:
    """The devices that a run may take. `auto`: any visible GPU, or the CPU if there is no GPU. `cuda:N`: GPU number N.

    Raises: LookupError, if there is no such GPU.
    """
    if wanted == CPU:
        return (CPU,)
    visible = gpus.visible(gpus.uuids())
    if wanted == "auto":
        return tuple(visible) or (CPU,)
    number = int(wanted.partition(":")[2])
    if number >= len(visible):
        raise LookupError(f"device = {wanted} does not exist: {len(visible)} GPU(s) are visible")
    return (visible[number],)
