"""The GPUs that runs may use, from NVML and without torch: their numbers, and the UUIDs that CUDA knows them by."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from fastadv_tui.hardware.nvml import Gpu, GpuReader

VISIBLE = "CUDA_VISIBLE_DEVICES"


class Device(Struct, frozen=True, kw_only=True):
    """What a number stands for: a whole GPU, or one MIG instance of a partitioned GPU.

    number: `2`, or `2:0` for instance 0 of GPU 2; GPUs are counted as nvidia-smi counts them, in the order of the PCI
    bus. uuid: that CUDA knows the device by; empty if it is not known. parent: UUID of the GPU of an instance.
    free_memory: in bytes; 0 if unknown. problem: why nothing can run on it, in words; empty if something can.
    """

    number: str
    uuid: str = ""
    parent: str = ""
    free_memory: int = 0
    problem: str = ""


class Found(Struct, frozen=True):
    """The devices of this machine by number. driver_error: of a driver that is installed and does not start.

    driver: its version and the newest CUDA that it runs, in words; empty if unknown.
    """

    devices: list[Device]
    driver_error: str = ""
    driver: str = ""


def read(nvml: Any = None) -> Found:
    """Look for GPUs. Without a driver there are none. nvml: a module as pynvml, which is the default."""
    reader = GpuReader(nvml)
    try:
        gpus, _ = reader.read()
        return Found(listed(gpus), reader.driver_error, reader.driver() if gpus else "")
    finally:
        reader.close()


def listed(gpus: Sequence[Gpu]) -> list[Device]:
    """The devices of GPUs. A partitioned GPU gives its instances instead of itself. A lost GPU keeps its number.

    A GPU that this user may not use is left out: a batch system has given it to others, and CUDA does not count it.
    """
    return [device for gpu in gpus if not gpu.denied for device in _devices(gpu)]


def _devices(gpu: Gpu) -> Iterator[Device]:
    number, uuid = str(gpu.index), gpu.uuid or ""
    if gpu.lost or not uuid:
        yield Device(number=number, uuid=uuid, problem=f"GPU {number} is lost")
    elif gpu.partitioned and not gpu.mig:
        yield Device(number=number, uuid=uuid, problem=f"GPU {number} has MIG on and no instance")
    elif gpu.partitioned:
        for instance, mig in enumerate(gpu.mig):
            problem = "" if mig.uuid else f"instance {instance} of GPU {number} has no UUID"
            free = _free(mig.memory_used, mig.memory_total)
            place = f"{number}:{instance}"
            yield Device(number=place, uuid=mig.uuid or "", parent=uuid, free_memory=free, problem=problem)
    else:
        yield Device(number=number, uuid=uuid, free_memory=_free(gpu.memory_used, gpu.memory_total))


def _free(used: int | None, total: int | None) -> int:
    return 0 if used is None or total is None else total - used


def visible(devices: Sequence[Device], environ: Mapping[str, str] = os.environ) -> list[Device]:
    """The devices that CUDA_VISIBLE_DEVICES lists, in its order; all of them if it is not set.

    As in CUDA, the first invalid word ends the list. A lost GPU is no invalid word: it keeps its place.
    """
    if VISIBLE not in environ:
        return list(devices)
    found: list[Device] = []
    for word in environ[VISIBLE].split(","):
        named = _named(word.strip(), devices)
        if not named:
            break
        found += named
    return found


def hidden(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether CUDA_VISIBLE_DEVICES hides all GPUs: it is empty, or begins with a word that can be no GPU, as -1."""
    word = environ.get(VISIBLE, "0").split(",")[0].strip()
    return not word.replace(":", "").isdigit() and not word.startswith(("GPU-", "MIG-"))


def _named(word: str, devices: Sequence[Device]) -> list[Device]:
    """The devices that a word names: a place in the list, `GPU:INSTANCE`, or a UUID or its begin. Empty: none."""
    if word.isdigit():
        return list(devices[int(word) : int(word) + 1])
    if not word:
        return []
    if ":" in word:
        return [device for device in devices if device.number == word]
    matches = [device for device in devices if device.uuid.startswith(word)]
    if len(matches) == 1:
        return matches
    instances = [device for device in devices if device.parent.startswith(word)]
    if not matches and len({device.parent for device in instances}) == 1:
        return instances
    if word.startswith("MIG-"):  # older drivers have other names for instances: MIG-GPU-UUID/1/0
        return [Device(number=word, uuid=word)]
    if word.startswith("GPU-") and not matches and any(not device.uuid for device in devices):
        return [Device(number=word, problem=f"{word} is lost")]  # NVML does not say what the UUID of a lost GPU was
    return []
