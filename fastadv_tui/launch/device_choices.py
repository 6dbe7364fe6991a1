"""The devices that a new run may ask for, each with what is free on it."""

from collections.abc import Mapping, Sequence

from fastadv_tui.hardware import gpus
from fastadv_tui.hardware.nvml import Gpu

CPU = "cpu"


def device_choices(found: Sequence[Gpu], busy: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """By the value to type: what is free, in words.

    found: the GPUs of this machine. busy: by UUID of a GPU or MIG instance, or `cpu`, the names of the runs that train
    there.
    """
    names = {str(gpu.index): gpu.name for gpu in found}
    visible = gpus.visible(gpus.listed(found))
    usable = [device for device in visible if not device.problem]
    free = [device for device in usable if not busy.get(device.uuid)]
    numbered = {
        f"cuda:{number}": device.problem or _in_words(device, names, busy.get(device.uuid, ()))
        for number, device in enumerate(visible)
    }
    cpu = _users(busy.get(CPU, ()))
    auto = f"{len(free)} of {len(usable)} GPUs free" if visible else f"the CPU, {cpu}"
    return {"auto": auto, CPU: cpu, **numbered}


def _in_words(device: gpus.Device, gpu_names: Mapping[str, str | None], runs: Sequence[str]) -> str:
    gpu, _, instance = device.number.partition(":")
    name = (gpu_names.get(gpu) or "").removeprefix("NVIDIA ").partition(" ")[0]
    return ", ".join(filter(None, (f"{name} MIG {device.number}".strip() if instance else name, _users(runs))))


def _users(names: Sequence[str]) -> str:
    return "free" if not names else f"{names[0]} trains" if len(names) == 1 else f"{len(names)} runs train"
