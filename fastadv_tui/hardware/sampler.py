"""Samples the load of the machine: GPUs by NVML, processor and memory by psutil, and the processes of the runs.

An unknown value is None. Take samples in a thread of their own: a failing GPU driver can block the thread.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterable
from typing import Any, Self

import psutil
from msgspec import Struct

from fastadv_tui.hardware.nvml import Gpu, GpuReader
from fastadv_tui.hardware.process_usage import Usage, process_trees

RESCAN_SECONDS = 10.0  # time between two scans of all processes; a scan takes 0.1 s per thousand processes


class Host(Struct, frozen=True, kw_only=True):
    """The machine. cpu: fraction in [0,1] of all cores in use, None in the first sample. Memory in bytes.

    usable: the number of cores to which this process is bound, and its runs with it; None if unknown.
    """

    cores: int
    usable: int | None = None
    cpu: float | None
    memory_used: int
    memory_total: int


class Sample(Struct, frozen=True, kw_only=True):
    """The load of the machine at unix time `t`. no_gpus: why `gpus` is empty. usage: by pid that was asked for."""

    t: float
    host: Host
    gpus: tuple[Gpu, ...] = ()
    no_gpus: str = ""
    usage: dict[int, Usage] = {}


class Sampler:
    """Takes samples, and keeps NVML open between them. Use the sampler as a context manager, or call `close`.

    nvml: a module with the functions of pynvml; by default pynvml, imported at the first sample. A driver, GPU or
    process that is missing, fails or disappears raises no error.
    """

    def __init__(self, nvml: Any = None) -> None:
        self._gpus = GpuReader(nvml)
        self._trees: dict[int, list[psutil.Process]] = {}
        self._next_scan = 0.0
        self._seen: set[psutil.Process] = set()  # processes whose processor time was read before
        self._host_sampled = False
        self._lock = threading.Lock()  # makes `close` wait for a running sample

    def sample(self, pids: Iterable[int] = ()) -> Sample:
        """Take a sample. pids: processes to measure with their descendants. `usage` leaves out ended processes."""
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
        cpu, self._host_sampled = percent / 100 if self._host_sampled else None, True
        return Host(
            cores=psutil.cpu_count() or 1,
            usable=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
            cpu=cpu,
            memory_used=memory.total - memory.available,
            memory_total=memory.total,
        )

    def _usage(self, pids: set[int]) -> dict[int, Usage]:
        if pids - self._trees.keys() or time.monotonic() > self._next_scan:
            with contextlib.suppress(OSError):  # a process ended during the scan: keep the trees of the last scan
                self._trees = process_trees(pids)
            self._seen &= {member for members in self._trees.values() for member in members}
            self._next_scan = time.monotonic() + RESCAN_SECONDS
        found = {pid: self._add_up(self._trees.get(pid, [])) for pid in pids}
        return {pid: usage for pid, usage in found.items() if usage is not None}

    def _add_up(self, members: list[psutil.Process]) -> Usage | None:
        """The sum over live processes; None if none lives. psutil measures processor use since its last call."""
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
        except (psutil.Error, OSError):  # the process ended meanwhile, or belongs to another user
            return None
        self._seen.add(process)
        return (cpu if known else None), rss
