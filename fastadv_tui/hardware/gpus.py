"""The UUIDs of the GPUs of this machine, from NVML and without torch."""

import os
from collections.abc import Mapping
from typing import Any

VISIBLE = "CUDA_VISIBLE_DEVICES"


def uuids() -> list[str]:
    """The UUIDs of all GPUs in the order of the PCI bus; empty without a driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no library, no driver or no permission: there is no GPU to use
        return []
    try:
        return [_uuid(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def visible(all_uuids: list[str], environ: Mapping[str, str] = os.environ) -> list[str]:
    """The GPUs that CUDA_VISIBLE_DEVICES lists, in its order. As in CUDA, the first invalid entry ends the list."""
    if VISIBLE not in environ:
        return all_uuids
    found: list[str] = []
    for word in environ[VISIBLE].split(","):
        word = word.strip()
        matches = [uuid for uuid in all_uuids if word and uuid.startswith(word)]
        if word.isdigit() and int(word) < len(all_uuids):
            found.append(all_uuids[int(word)])
        elif len(matches) == 1:
            found.append(matches[0])
        elif word.startswith("MIG-"):
            found.append(word)
        else:
            break
    return found


def _uuid(nvml: Any, index: int) -> str:
    uuid = nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByIndex(index))
    return uuid.decode() if isinstance(uuid, bytes) else str(uuid)
