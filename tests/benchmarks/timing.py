"""Honest timing: two things in turns, so that a machine that changes its pace changes it for both."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import torch


def machine(device: torch.device) -> str:
    """One line: what was measured on, with what, and when."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()}, {_processor()}"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    return f"{name}, {os.cpu_count()} cores, {versions}, {time.strftime('%Y-%m-%d %H:%M')}"


def _processor() -> str:
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{capability}, {'native bf16' if torch.cpu._is_avx512_bf16_supported() else 'no native bf16'}"


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    """How long one call takes; on a GPU by its own events."""
    if device.type == "cuda":
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


class Pair:
    """Seconds of two things, measured in turns after one call of each that does not count."""

    def __init__(
        self, slow: Callable[[], Any], fast: Callable[[], Any], repeats: int, device: torch.device, warm_up: bool = True
    ) -> None:
        if warm_up:
            slow(), fast()
        found = [(seconds(slow, device), seconds(fast, device)) for _ in range(repeats)]
        self.slow, self.fast = (statistics.median(column) for column in zip(*found, strict=True))
        ratios = sorted(one / other for one, other in found)
        self.ratio, self.low, self.high = statistics.median(ratios), ratios[0], ratios[-1]


def resident(process: psutil.Process) -> int:
    """Bytes of a process and its children; what they share counts once. Linux."""
    found = 0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):  # a worker that ends meanwhile
            found += each.memory_full_info().pss
    return found


@contextmanager
def counted(owner: Any, name: str, spent: list[float]) -> Iterator[None]:
    """Add the seconds of each call of a function to `spent`."""
    original = getattr(owner, name)

    def timed(*arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return original(*arguments, **options)
        finally:
            spent.append(time.perf_counter() - begun)

    setattr(owner, name, timed)
    try:
        yield
    finally:
        setattr(owner, name, original)
