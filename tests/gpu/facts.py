"""What the checks ran on: GPU, driver, versions and commit. Nothing here makes a context on the GPU."""

import os
import platform
import time

import torch

from engine.protocol.provenance import git_commit
from engine.runtime.no_gpu import can_use_gpu, why_no_gpu
from fastadv_tui.hardware import gpus
from fastadv_tui.hardware.nvml import GpuReader
from tests.gpu.registry import Machine


def why_refused(machine: Machine) -> str:
    """Why no check can be done on the device, in words; empty if they can."""
    if machine.gpu and not can_use_gpu():
        return f"torch cannot use a GPU here: {why_no_gpu()}; or check on the CPU: --device cpu --small"
    return ""


def facts(machine: Machine) -> dict[str, str]:
    """By name: versions, devices, commit and date. A CPU has no GPU, driver and memory."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "commit": git_commit(),
        "device": machine.device,
        "gpu": _gpu_name() if machine.gpu else "",
        "driver": gpus.read().driver if machine.gpu else "",
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda or "",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": str(os.cpu_count()),
    }


def _gpu_name() -> str:
    """The name of the GPU that these checks use, from NVML."""
    reader = GpuReader()
    try:
        seen, _ = reader.read()
        chosen = gpus.visible(gpus.listed(seen))[:1]
        used = {uuid for device in chosen for uuid in (device.uuid, device.parent) if uuid}
        return ", ".join(gpu.name or "" for gpu in seen if gpu.uuid in used)
    finally:
        reader.close()
