"""Reads the state of all GPUs through NVML. A value that a GPU does not report is None."""

import importlib
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

TEMPERATURE_GPU = 0  # NVML_TEMPERATURE_GPU
NO_DRIVER = ("Library Not Found", "Shared Library", "Driver Not Loaded")  # NVML's texts on a machine without a GPU
DENIED = ("Insufficient Permissions", "operating system has blocked")  # NVML's texts if the GPU belongs to others


class MigInstance(Struct, frozen=True, kw_only=True):
    """A MIG instance, which is a part of a partitioned GPU. Memory in bytes."""

    uuid: str | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    pids: tuple[int, ...] | None = None


class Gpu(Struct, frozen=True, kw_only=True):
    """One GPU, by its index on the PCI bus. Utilisation in [0,1], memory in bytes, temperature in °C, power in watts.

    pids: processes that compute on the GPU or on one of its MIG instances. partitioned: MIG is on, so only the MIG
    instances compute. lost: the GPU reports nothing any more. denied: it is lost because this user may not use it.
    """

    index: int
    name: str | None = None
    uuid: str | None = None
    utilisation: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    temperature: int | None = None
    power: float | None = None
    power_limit: float | None = None
    pids: tuple[int, ...] | None = None
    mig: tuple[MigInstance, ...] = ()
    partitioned: bool = False
    lost: bool = False
    denied: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        """The devices that a run on this GPU may have: the UUIDs of the GPU and of its instances."""
        return tuple(uuid for uuid in (self.uuid, *(instance.uuid for instance in self.mig)) if uuid)


class GpuReader:
    """Reads all GPUs through NVML. A value that one GPU does not report is None; the other GPUs are not affected."""

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml
        self.driver_error = ""  # of a driver that is installed and does not start
        self._denied: set[int] = set()  # indices of the GPUs that this user may not use
        self._reason: str | None = None  # why NVML gives no GPU; None: NVML is not opened yet; empty: NVML is open
        self._handles: list[Any] = []  # None for a GPU without a handle so far
        self._facts: dict[int, tuple[str | None, str | None]] = {}  # name and UUID by index, also of a lost GPU

    def read(self) -> tuple[tuple[Gpu, ...], str]:
        """The GPUs, and the reason if there are none (else an empty text)."""
        if self._reason is None:
            self._reason = self._open()
        return tuple(self._gpu(index) for index in range(len(self._handles))), self._reason

    def driver(self) -> str:
        """The version of the driver, and the newest CUDA that it runs: `550.90.07, for CUDA 12.4`. `read` first."""
        version, cuda = self._text("nvmlSystemGetDriverVersion"), self._ask("nvmlSystemGetCudaDriverVersion")
        newest = f"for CUDA {cuda // 1000}.{cuda % 1000 // 10}" if cuda else ""
        return ", ".join(filter(None, (version, newest)))

    def close(self) -> None:
        if self._reason == "":
            self._ask("nvmlShutdown")
        self._handles, self._reason = [], None

    def _open(self) -> str:
        """Open NVML. Returns why no GPU can be read, or an empty text. Not retried: no driver appears later."""
        try:
            self._nvml = self._nvml or importlib.import_module("pynvml")
            self._nvml.nvmlInit()
            count = self._nvml.nvmlDeviceGetCount()
        except Exception as error:  # NVML, ctypes or a broken installation may raise anything
            missing = isinstance(error, ImportError) or _says(error, NO_DRIVER) or _says(error, DENIED)
            self.driver_error = "" if missing else str(error).rstrip(".") or type(error).__name__
            return _in_words(error)
        self._handles = [None] * count
        return "" if count else "no GPU: the driver finds none"

    def _gpu(self, index: int) -> Gpu:
        handle = self._handle(index)
        if handle is None:
            return self._lost(index)
        name, uuid = self._named(index, handle)
        rates, memory = self._ask("nvmlDeviceGetUtilizationRates", handle), self._memory(handle)
        partitioned = bool((self._ask("nvmlDeviceGetMigMode", handle) or (0,))[0])
        mig = tuple(self._mig_instances(handle)) if partitioned else ()
        gpu = Gpu(
            index=index,
            name=name,
            uuid=uuid,
            utilisation=None if rates is None else rates.gpu / 100,
            memory_used=memory[0],
            memory_total=memory[1],
            temperature=self._ask("nvmlDeviceGetTemperature", handle, TEMPERATURE_GPU),
            power=self._watts("nvmlDeviceGetPowerUsage", handle),
            power_limit=self._watts("nvmlDeviceGetEnforcedPowerLimit", handle),
            pids=merged(self._pids(handle), *(instance.pids for instance in mig)),
            mig=mig,
            partitioned=partitioned,
        )
        return self._lost(index) if gpu == Gpu(index=index, name=name, uuid=uuid) else gpu

    def _lost(self, index: int) -> Gpu:
        name, uuid = self._facts.get(index, (None, None))
        return Gpu(index=index, name=name, uuid=uuid, lost=True, denied=index in self._denied)

    def _handle(self, index: int) -> Any:
        """The handle of a GPU. A handle is kept; a missing handle is requested again each time."""
        if self._handles[index] is None:
            self._denied.discard(index)
            try:
                self._handles[index] = self._nvml.nvmlDeviceGetHandleByIndex(index)
            except Exception as error:  # as in `_ask`
                if _says(error, DENIED):
                    self._denied.add(index)
        return self._handles[index]

    def _named(self, index: int, handle: Any) -> tuple[str | None, str | None]:
        name, uuid = self._facts.get(index, (None, None))
        name = name or self._text("nvmlDeviceGetName", handle)
        uuid = uuid or self._text("nvmlDeviceGetUUID", handle)
        self._facts[index] = name, uuid
        return name, uuid

    def _mig_instances(self, handle: Any) -> Iterator[MigInstance]:
        for slot in range(self._ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
            instance = self._ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, slot)
            if instance is not None:  # NVML reports an error for an empty slot
                uuid, memory = self._text("nvmlDeviceGetUUID", instance), self._memory(instance)
                pids = self._pids(instance)
                yield MigInstance(uuid=uuid, memory_used=memory[0], memory_total=memory[1], pids=pids)

    def _memory(self, handle: Any) -> tuple[int | None, int | None]:
        memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
        return (None, None) if memory is None else (memory.used, memory.total)

    def _watts(self, function: str, handle: Any) -> float | None:
        milliwatts = self._ask(function, handle)
        return None if milliwatts is None else milliwatts / 1000

    def _pids(self, handle: Any) -> tuple[int, ...] | None:
        processes = self._ask("nvmlDeviceGetComputeRunningProcesses", handle)
        return None if processes is None else tuple(sorted(process.pid for process in processes))

    def _text(self, function: str, *handle: Any) -> str | None:
        text = self._ask(function, *handle)
        return text.decode(errors="replace") if isinstance(text, bytes) else text

    def _ask(self, function: str, *arguments: Any) -> Any:
        """The result of an NVML function, or None for any failure: wrong version of pynvml, no permission, lost GPU."""
        try:
            return getattr(self._nvml, function)(*arguments)
        except Exception:  # mostly NVMLError, but with a failing driver pynvml raises others too
            return None


def _in_words(error: Exception) -> str:
    """Why NVML could not be opened, in words for a user who may never have had a GPU."""
    if _says(error, NO_DRIVER):
        return "no GPU: runs train on the CPU"
    return f"no GPU: its driver gives an error ({error})"


def _says(error: Exception, texts: tuple[str, ...]) -> bool:
    return any(text in str(error) for text in texts)


def merged(*groups: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """All pids of the groups, each once and sorted; None if no group is known."""
    known = [group for group in groups if group is not None]
    return tuple(sorted(set().union(*known))) if known else None
