"""A stand-in for NVML, the library that reads GPUs."""

from types import SimpleNamespace
from typing import Any


class NvmlError(Exception):
    """The error that the NVML bindings raise."""


class StandInNvml:
    """The functions of `pynvml` that are used; a handle is a GPU's index, or `(index, slot)` for a MIG instance.

    `broken` holds (function, index) pairs that fail, with None for every function or every GPU.
    """

    def __init__(self, count: int = 2, mig: dict[int, int] | None = None) -> None:
        self.count, self.mig = count, mig or {}
        self.broken: set[tuple[str | None, int | None]] = set()
        self.calls: list[str] = []
        self.error: Exception = NvmlError("GPU is lost")

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("nvml"):
            self.calls.append(name)
        return super().__getattribute__(name)

    def check(self, name: str, handle: Any) -> None:
        index = handle[0] if isinstance(handle, tuple) else handle
        if self.broken & {(name, index), (name, None), (None, index), (None, None)}:
            raise self.error

    def nvmlInit(self) -> None:  # noqa: N802
        self.check("nvmlInit", None)

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.check("nvmlShutdown", None)

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        self.check("nvmlDeviceGetCount", None)
        return self.count

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        self.check("nvmlSystemGetDriverVersion", None)
        return "550.90.07"

    def nvmlSystemGetCudaDriverVersion(self) -> int:  # noqa: N802
        self.check("nvmlSystemGetCudaDriverVersion", None)
        return 12040

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        self.check("nvmlDeviceGetHandleByIndex", index)
        return index

    def nvmlDeviceGetName(self, handle: Any) -> bytes:  # noqa: N802
        self.check("nvmlDeviceGetName", handle)
        return b"NVIDIA H100"  # bindings before version 12 answer bytes

    def nvmlDeviceGetUUID(self, handle: Any) -> str:  # noqa: N802
        self.check("nvmlDeviceGetUUID", handle)
        return f"MIG-{handle[0]}-{handle[1]}" if isinstance(handle, tuple) else f"GPU-{handle}"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        self.check("nvmlDeviceGetUtilizationRates", handle)
        if handle in self.mig:
            raise NvmlError("Not Supported")  # a partitioned GPU refuses this call
        return SimpleNamespace(gpu=97, memory=40)

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any:  # noqa: N802
        self.check("nvmlDeviceGetMemoryInfo", handle)
        return SimpleNamespace(used=10, total=80 if isinstance(handle, int) else 20, free=70)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:  # noqa: N802
        self.check("nvmlDeviceGetTemperature", handle)
        assert sensor == 0
        return 61

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        self.check("nvmlDeviceGetPowerUsage", handle)
        return 412_500

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: int) -> int:  # noqa: N802
        self.check("nvmlDeviceGetEnforcedPowerLimit", handle)
        return 700_000

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> list[Any]:  # noqa: N802
        self.check("nvmlDeviceGetComputeRunningProcesses", handle)
        index, slot = handle if isinstance(handle, tuple) else (handle, 0)
        return [SimpleNamespace(pid=100 * (index + 1) + slot)]

    def nvmlDeviceGetMigMode(self, handle: int) -> list[int]:  # noqa: N802
        self.check("nvmlDeviceGetMigMode", handle)
        if not self.mig:
            raise NvmlError("Not Supported")  # a GPU that cannot be partitioned refuses this call
        return [int(handle in self.mig), 0]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: int) -> int:  # noqa: N802
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: int, slot: int) -> tuple[int, int]:  # noqa: N802
        if slot >= self.mig[handle]:
            raise NvmlError("Not Found")
        return handle, slot
