"""How busy the machine is: GPUs by NVML, processor and memory by psutil, and the processes of the runs.

Everything optional is None when it cannot be known. Poll a `Sampler` from one thread: a sick driver can block it.
"""

import contextlib
import importlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import psutil
from msgspec import Struct

TEMPERATURE_GPU = 0  # NVML_TEMPERATURE_GPU
FAMILY_SECONDS = 10.0  # a look at every process of the machine costs 0.1 s a thousand: not with each sample


class MigInstance(Struct, frozen=True, kw_only=True):
    """A slice of a GPU that was partitioned; memory in bytes."""

    uuid: str | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    pids: tuple[int, ...] | None = None


class Gpu(Struct, frozen=True, kw_only=True):
    """One GPU, by its index on the PCI bus. Utilisation in [0,1], memory in bytes, °C, watts.

    `pids` are the processes that compute on it, those of its MIG instances included; `lost` says that it was
    there and answers nothing now.
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
    lost: bool = False


class Host(Struct, frozen=True, kw_only=True):
    """The machine: share of all cores in use in [0,1] (None in the first sample), memory in bytes."""

    cores: int
    cpu: float | None
    memory_used: int
    memory_total: int


class Usage(Struct, frozen=True, kw_only=True):
    """A process and all its descendants: cores kept busy (None in its first sample), resident bytes, how many."""

    cpu: float | None
    rss: int
    processes: int


class Sample(Struct, frozen=True, kw_only=True):
    """One look at the machine at unix time `t`. `no_gpus` says why `gpus` is empty; `usage` is by the pid asked for."""

    t: float
    host: Host
    gpus: tuple[Gpu, ...] = ()
    no_gpus: str = ""
    usage: dict[int, Usage] = {}


class Sampler:
    """Takes samples; keeps NVML and its handles open between them. Use as a context manager, or call `close`.

    `nvml` is a module with the functions of `pynvml`, which is imported when first needed. Never raises for a
    driver, a GPU or a process that is missing, fails or goes away.
    """

    def __init__(self, nvml: Any = None) -> None:
        self._gpus = GpuReader(nvml)
        self._families: dict[int, list[psutil.Process]] = {}
        self._look_again = 0.0
        self._seen: set[psutil.Process] = set()  # those whose processor time was read before
        self._looked = False
        self._lock = threading.Lock()  # `close` waits for a sample that is being taken

    def sample(self, pids: Iterable[int] = ()) -> Sample:
        """Look now. `pids` are the processes whose own use, descendants included, is wanted; absent if gone."""
        with self._lock:
            gpus, reason = self._gpus.read()
            usage = self._usage(set(pids))
            return Sample(t=time.time(), host=self._host(), gpus=gpus, no_gpus=reason, usage=usage)

    def close(self) -> None:
        with self._lock:
            self._gpus.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _host(self) -> Host:
        memory, percent = psutil.virtual_memory(), psutil.cpu_percent()
        cpu, self._looked = percent / 100 if self._looked else None, True
        return Host(
            cores=psutil.cpu_count() or 1,
            cpu=cpu,
            memory_used=memory.total - memory.available,
            memory_total=memory.total,
        )

    def _usage(self, pids: set[int]) -> dict[int, Usage]:
        if pids - self._families.keys() or time.monotonic() > self._look_again:
            with contextlib.suppress(OSError):  # of a process that ended just then; those known before may do
                self._families = families(pids)
            self._seen &= {member for members in self._families.values() for member in members}
            self._look_again = time.monotonic() + FAMILY_SECONDS
        found = {pid: self._add_up(self._families.get(pid, [])) for pid in pids}
        return {pid: usage for pid, usage in found.items() if usage is not None}

    def _add_up(self, members: list[psutil.Process]) -> Usage | None:
        """None if none of them lives. `psutil` measures the processor from one call on a process to the next."""
        readings = [reading for member in members if (reading := self._read(member)) is not None]
        cpus = [cpu for cpu, _ in readings if cpu is not None]
        if not readings:
            return None
        return Usage(cpu=sum(cpus) if cpus else None, rss=sum(rss for _, rss in readings), processes=len(readings))

    def _read(self, process: psutil.Process) -> tuple[float | None, int] | None:
        known = process in self._seen
        try:
            with process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    return None
                cpu, rss = process.cpu_percent() / 100, process.memory_info().rss
        except (psutil.Error, OSError):  # it ended meanwhile, at whatever moment, or is another user's
            return None
        self._seen.add(process)
        return (cpu if known else None), rss


class GpuReader:
    """Reads all GPUs through NVML; what one of them does not answer is None and harms no other."""

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml
        self._reason: str | None = None  # None: not yet opened; empty: open
        self._handles: list[Any] = []  # None for a GPU that gave none
        self._facts: dict[int, tuple[str | None, str | None]] = {}  # name and UUID outlive a GPU that is lost

    def read(self) -> tuple[tuple[Gpu, ...], str]:
        """The GPUs, and if there are none, why."""
        if self._reason is None:
            self._reason = self._open()
        return tuple(self._gpu(index) for index in range(len(self._handles))), self._reason

    def close(self) -> None:
        if self._reason == "":
            self._ask("nvmlShutdown")
        self._handles, self._reason = [], None

    def _open(self) -> str:
        """Why no GPU can be read; empty if one can. Not asked again: no driver comes while a program runs."""
        try:
            self._nvml = self._nvml or importlib.import_module("pynvml")
            self._nvml.nvmlInit()
            count = self._nvml.nvmlDeviceGetCount()
        except Exception as error:  # whatever NVML, ctypes or a broken installation raises, no GPU can be read
            return f"no GPU: {error}"
        self._handles = [None] * count
        return "" if count else "no GPU: the driver knows of none"

    def _gpu(self, index: int) -> Gpu:
        handle = self._handle(index)
        if handle is None:
            return self._lost(index)
        name, uuid = self._named(index, handle)
        rates, memory = self._ask("nvmlDeviceGetUtilizationRates", handle), self._memory(handle)
        mig = tuple(self._mig_instances(handle))
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
        )
        return self._lost(index) if gpu == Gpu(index=index, name=name, uuid=uuid) else gpu

    def _lost(self, index: int) -> Gpu:
        name, uuid = self._facts.get(index, (None, None))
        return Gpu(index=index, name=name, uuid=uuid, lost=True)

    def _handle(self, index: int) -> Any:
        """Kept once it was given; a GPU that gave none is asked again each time."""
        if self._handles[index] is None:
            self._handles[index] = self._ask("nvmlDeviceGetHandleByIndex", index)
        return self._handles[index]

    def _named(self, index: int, handle: Any) -> tuple[str | None, str | None]:
        name, uuid = self._facts.get(index, (None, None))
        name = name or self._text("nvmlDeviceGetName", handle)
        uuid = uuid or self._text("nvmlDeviceGetUUID", handle)
        self._facts[index] = name, uuid
        return name, uuid

    def _mig_instances(self, handle: Any) -> Iterator[MigInstance]:
        mode = self._ask("nvmlDeviceGetMigMode", handle)
        if not mode or not mode[0]:
            return
        for slot in range(self._ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
            instance = self._ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, slot)
            if instance is not None:  # an empty slot is answered with an error
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

    def _text(self, function: str, handle: Any) -> str | None:
        text = self._ask(function, handle)
        return text.decode(errors="replace") if isinstance(text, bytes) else text

    def _ask(self, function: str, *arguments: Any) -> Any:
        """The answer, or None for every kind of failure: bindings too old or new, no permission, GPU lost."""
        try:
            return getattr(self._nvml, function)(*arguments)
        except Exception:  # NVMLError for the most part, but a half-dead driver makes the bindings raise others too
            return None


def merged(*groups: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """All pids, each once; None if no group is known."""
    known = [group for group in groups if group is not None]
    return tuple(sorted(set().union(*known))) if known else None


def families(pids: set[int]) -> dict[int, list[psutil.Process]]:
    """For each pid its process and all descendants, living or zombie; empty for a pid that nobody has."""
    if not pids:
        return {}
    children = defaultdict(list)
    processes = {process.pid: process for process in psutil.process_iter(["ppid"])}
    for process in processes.values():
        children[process.info["ppid"]].append(process)
    return {pid: family(processes[pid], children) if pid in processes else [] for pid in pids}


def family(ancestor: psutil.Process, children: Mapping[int, list[psutil.Process]]) -> list[psutil.Process]:
    """A process and its descendants; `children` are all processes of the machine by their parent's pid."""
    members = {ancestor.pid: ancestor}
    waiting = [ancestor.pid]
    while waiting:
        born = [child for child in children.get(waiting.pop(), []) if child.pid not in members]
        members |= {child.pid: child for child in born}
        waiting += [child.pid for child in born]
    return list(members.values())
