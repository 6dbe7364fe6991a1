"""The devices that a new run may ask for, each with what is free on it."""

from collections.abc import Mapping, Sequence

from fastadv_tui.hardware import gpus
from fastadv_tui.hardware.nvml import Gpu

CPU = "cpu"


def device_choices(found: Sequence[Gpu], busy: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """By the value to type: what is free, in words.

    found: the GPUs of this machine. busy: by GPU UUID, or `cpu`, the names of the runs that train there.
    """
    by_uuid = {gpu.uuid: gpu for gpu in found if gpu.uuid}
    visible = gpus.visible(list(by_uuid))
    free = [uuid for uuid in visible if not busy.get(uuid)]
    numbered = {
        f"cuda:{number}": _in_words(by_uuid.get(uuid), busy.get(uuid, ())) for number, uuid in enumerate(visible)
    }
    cpu = _users(busy.get(CPU, ()))
    auto = f"{len(free)} of {len(visible)} GPUs free" if visible else f"the CPU, {cpu}"
    return {"auto": auto, CPU: cpu, **numbered}


def _in_words(gpu: Gpu | None, names: Sequence[str]) -> str:
    name = (gpu.name or "").removeprefix("NVIDIA ").partition(" ")[0] if gpu else ""
    return ", ".join(filter(None, (name, _users(names))))


def _users(names: Sequence[str]) -> str:
    return "free" if not names else f"{names[0]} trains" if len(names) == 1 else f"{len(names)} runs train"
