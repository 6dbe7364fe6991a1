"""The samples of the machine over time: bounded, so that a dashboard may stay open for weeks."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from fastadv_tui.hardware.nvml import Gpu
from fastadv_tui.hardware.sampler import Host, Sample

MAX_POINTS = 2048  # of one device; above, every second one is dropped, and half as often one is kept
RECENT = 60  # the last samples, of which none is dropped
HOST = "host"  # the key of processor and memory
Metric = Literal["utilisation", "memory", "temperature", "power"]


class Load(Struct, frozen=True):
    """The load of one device at unix time `t`. NaN: unknown.

    utilisation: in [0,1]. memory: the part in use, in [0,1]. temperature in °C, power in watts.
    """

    t: float
    utilisation: float = math.nan
    memory: float = math.nan
    temperature: float = math.nan
    power: float = math.nan


class SampleHistory:
    """Keeps the samples of one dashboard. Only one thread may use it."""

    def __init__(self) -> None:
        self.last: Sample | None = None
        self._loads: dict[str, list[Load]] = {}
        self._recent: dict[str, deque[Load]] = {}
        self._stride, self._count = 1, 0  # one sample of `stride` is kept

    def add(self, sample: Sample) -> None:
        """Keep a sample as the last one, and its figures if its turn has come."""
        self.last = sample
        keep = self._count % self._stride == 0
        self._count += 1
        for device, load in _loads(sample):
            self._recent.setdefault(device, deque(maxlen=RECENT)).append(load)
            if keep:
                self._loads.setdefault(device, []).append(load)
        if max(map(len, self._loads.values()), default=0) > MAX_POINTS:
            self._stride *= 2
            self._loads = {device: loads[::2] for device, loads in self._loads.items()}

    def devices(self) -> list[str]:
        """The keys of the devices, in the order in which they were seen: HOST, and each GPU by `key_of`."""
        return list(self._loads)

    def key_of_slot(self, slot: str) -> str:
        """The key of the GPU that a run has, or has an instance of. slot: UUID of the GPU or the MIG instance."""
        gpus = self.last.gpus if self.last else ()
        return next((key_of(gpu) for gpu in gpus if slot in gpu.slots), slot)

    def recent(self, device: str) -> Sequence[Load]:
        """The last RECENT loads of a device, the newest last."""
        return self._recent.get(device, ())

    def series(
        self, device: str, metric: Metric, begin: float = 0.0, end: float = math.inf
    ) -> tuple[list[float], list[float]]:
        """Unix times, and the figures of a device at these times; NaN where a figure is unknown.

        begin, end: unix times. Both lists are empty for an unknown device.
        """
        loads = [load for load in self._loads.get(device, ()) if begin <= load.t <= end]
        return [load.t for load in loads], [getattr(load, metric) for load in loads]


def key_of(gpu: Gpu) -> str:
    """The key of a GPU: its UUID, which is also the device of the runs on it; without one, its number."""
    return gpu.uuid or f"GPU {gpu.index}"


def _loads(sample: Sample) -> Iterator[tuple[str, Load]]:
    yield HOST, _host(sample.t, sample.host)
    for gpu in sample.gpus:
        yield key_of(gpu), _gpu(sample.t, gpu)


def _host(t: float, host: Host) -> Load:
    return Load(t, _known(host.cpu), _share(host.memory_used, host.memory_total))


def _gpu(t: float, gpu: Gpu) -> Load:
    memory = _share(gpu.memory_used, gpu.memory_total)
    return Load(t, _known(gpu.utilisation), memory, _known(gpu.temperature), _known(gpu.power))


def _share(used: int | None, total: int | None) -> float:
    return math.nan if used is None or not total else used / total


def _known(figure: float | None) -> float:
    return math.nan if figure is None else float(figure)
