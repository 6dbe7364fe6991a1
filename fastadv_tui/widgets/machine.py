"""GPUs, or without one the CPU and memory; each with a short history, and the chosen run's own processes."""

from collections import defaultdict, deque

from rich.text import Text
from textual.widgets import Static

from fastadv_tui.safe import line
from fastadv_tui.telemetry import Gpu, Sample
from fastadv_tui.words import size

HISTORY = 24  # samples of a sparkline
BLOCKS = "▁▂▃▄▅▆▇█"


class Machine(Static):
    """What the last sample said."""

    def __init__(self, **options: object) -> None:
        super().__init__(markup=False, **options)  # type: ignore[arg-type]
        self._past: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=HISTORY))

    def show(self, sample: Sample, names: dict[int, str]) -> None:
        """Show a sample. names: of the runs, by the pid of their engine."""
        lines = [text for gpu in sample.gpus for text in self._gpu(gpu, names)] or self._host(sample)
        for pid, usage in sample.usage.items():
            share = "" if usage.cpu is None else f"{usage.cpu:.1f} cores, "
            lines.append(f"{names.get(pid, str(pid))}: {share}{size(usage.rss)}")
        self.update(Text("\n".join(line(text, 44) for text in lines)))

    def _gpu(self, gpu: Gpu, names: dict[int, str]) -> list[str]:
        head = f"GPU {gpu.index} {gpu.name or ''}{' is lost' if gpu.lost else ''}"
        on_it = ", ".join(names[pid] for pid in gpu.pids or () if pid in names)
        power = "" if gpu.power is None else f"{gpu.power:.0f} W"
        heat = [power, "" if gpu.temperature is None else f"{gpu.temperature} °C"]
        lines = [head, self._line(f"util {gpu.index}", "util", gpu.utilisation)]
        lines.append(_memory(gpu.memory_used, gpu.memory_total))
        lines += [f"  MIG {mig.uuid or ''} {_memory(mig.memory_used, mig.memory_total)}" for mig in gpu.mig]
        return [text for text in (*lines, "  ".join(part for part in heat if part), on_it) if text.strip()]

    def _host(self, sample: Sample) -> list[str]:
        host = sample.host
        cpu = self._line("cpu", f"CPU, {host.cores} cores", host.cpu)
        return [cpu, _memory(host.memory_used, host.memory_total), sample.no_gpus]

    def _line(self, key: str, label: str, share: float | None) -> str:
        """A label, per cent and a sparkline. share: in [0,1]."""
        if share is None:
            return ""
        self._past[key].append(share)
        spark = "".join(BLOCKS[min(int(past * len(BLOCKS)), len(BLOCKS) - 1)] for past in self._past[key])
        return f"{label} {share:4.0%} {spark}"


def _memory(used: int | None, total: int | None) -> str:
    return "" if used is None or not total else f"mem {size(used)} of {size(total)}"
