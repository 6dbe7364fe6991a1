"""How busy the machine is: GPUs by NVML, processor and memory by psutil, and the processes of the runs.

Everything optional is None when it cannot be known. Poll a `Sampler` from one thread: a sick driver can block it.
"""

import contextlib
import threading
import time
from collections.abc import Iterable
from typing import Any, Self

import psutil
from msgspec import Struct

from fastadv_tui.hardware.nvml import Gpu, GpuReader
from fastadv_tui.hardware.process_usage import Usage, families

FAMILY_SECONDS = 10.0  # a look at every process of the machine costs 0.1 s a thousand: not with each sample


class Host(Struct, frozen=True, kw_only=True):
    """The machine: share of all cores in use in [0,1] (None in the first sample), memory in bytes."""

    cores: int
    cpu: float | None
    memory_used: int
    memory_total: int


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
