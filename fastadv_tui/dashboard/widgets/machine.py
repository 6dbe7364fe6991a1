"""The panel of the machine: GPUs (CPU and memory if there is none), and the use of each engine that trains here."""

from collections import defaultdict, deque

from rich.text import Text
from textual.widgets import Static

from fastadv_tui.hardware.nvml import Gpu
from fastadv_tui.hardware.sampler import Sample
from fastadv_tui.text.quantities import format_bytes
from fastadv_tui.text.sanitize import one_line

SPARKLINE_SAMPLES = 24  # samples that a sparkline shows
BLOCKS = "▁▂▃▄▅▆▇█"


class Machine(Static):
    """Shows the last sample of the machine, and sparklines of the last utilisations."""

    def __init__(self, **options: object) -> None:
        super().__init__(markup=False, **options)  # type: ignore[arg-type]
        self._past: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=SPARKLINE_SAMPLES))
        self._sample: Sample | None = None
        self._names: dict[int, str] = {}
        self._devices: dict[str, list[str]] = {}

    def on_resize(self) -> None:
        self._draw()

    def show(self, sample: Sample) -> None:
        """Show a sample, and add it to the sparklines."""
        self._sample = sample
        for key, share in (("cpu", sample.host.cpu), *((f"util {gpu.index}", gpu.utilisation) for gpu in sample.gpus)):
            if share is not None:
                self._past[key].append(share)
        self._draw()

    def name_runs(self, names: dict[int, str], devices: dict[str, list[str]]) -> None:
        """Set the names of the runs that train here. names: by pid of the engine. devices: by device of the slot."""
        if (names, devices) != (self._names, self._devices):
            self._names, self._devices = names, devices
            self._draw()

    def _draw(self) -> None:
        if (sample := self._sample) is None:
            return
        lines = [text for gpu in sample.gpus for text in self._gpu(gpu)] or self._host(sample)
        for pid, usage in sample.usage.items():
            share = "" if usage.cpu is None else f"{usage.cpu:.1f} cores, "
            lines.append(f"{self._names.get(pid, str(pid))}: {share}{format_bytes(usage.rss)}")
        self.update(Text("\n".join(one_line(text, 44) for text in lines)))

    def _gpu(self, gpu: Gpu) -> list[str]:
        """Lines of one GPU. Its runs are known by their slots: in a container, pids differ from those of the driver."""
        head = f"GPU {gpu.index} {gpu.name or ''}{' is lost' if gpu.lost else ''}"
        runs = ", ".join(self._devices.get(gpu.uuid or "", []))
        readings = [_power(gpu), "" if gpu.temperature is None else f"{gpu.temperature} °C"]
        lines = [head, self._line(f"util {gpu.index}", "util", gpu.utilisation)]
        lines.append(_memory(gpu.memory_used, gpu.memory_total))
        lines += [f"  MIG {mig.uuid or ''} {_memory(mig.memory_used, mig.memory_total)}" for mig in gpu.mig]
        return [text for text in (*lines, "  ".join(part for part in readings if part), runs) if text.strip()]

    def _host(self, sample: Sample) -> list[str]:
        host = sample.host
        label = f"CPU, {host.cores} cores"
        cpu = self._line("cpu", label, host.cpu) or label
        return [cpu, _memory(host.memory_used, host.memory_total), sample.no_gpus]

    def _line(self, key: str, label: str, share: float | None) -> str:
        """A label, a share in per cent, and as much of a sparkline as fits. share: in [0,1]."""
        if share is None:
            return ""
        text = f"{label} {share:4.0%} "
        sparkline = "".join(BLOCKS[min(int(past * len(BLOCKS)), len(BLOCKS) - 1)] for past in self._past[key])
        room = max(self.content_size.width - len(text), 0)
        return text + sparkline[-room:] if room else text


def _power(gpu: Gpu) -> str:
    if gpu.power is None:
        return ""
    limit = "" if gpu.power_limit is None else f" of {gpu.power_limit:.0f} W"
    return f"{gpu.power:.0f}{limit or ' W'}"


def _memory(used: int | None, total: int | None) -> str:
    return "" if used is None or not total else f"mem {format_bytes(used)} of {format_bytes(total)}"
