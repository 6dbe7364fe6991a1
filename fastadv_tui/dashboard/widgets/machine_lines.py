"""The lines of a machine: GPUs, processor and memory, as bars with their numbers. Unknown figures are left out."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from rich.text import Text

from fastadv_tui.dashboard.colours import state_colour
from fastadv_tui.hardware.nvml import Gpu
from fastadv_tui.hardware.process_usage import Usage
from fastadv_tui.hardware.sample_history import Load
from fastadv_tui.hardware.sampler import Host, Sample
from fastadv_tui.text.labels import shortened
from fastadv_tui.text.quantities import format_bytes
from fastadv_tui.text.sanitize import one_line

BLOCKS = "▁▂▃▄▅▆▇█"
HOT_CELSIUS = 85  # data-centre GPUs slow down a few degrees above
STUCK_SAMPLES = 30  # so many samples without work make a GPU with a run stuck
HEAD = 3  # cells of the number of a GPU and its mark
MIN_HISTORY = 4  # cells
WIDE = 40  # from so many cells on, a single line has the power, too


def gpu_lines(
    gpu: Gpu, recent: Sequence[Load], runs: Sequence[str], width: int, scheme: int, single: bool = False
) -> list[Text]:
    """Two lines of a GPU, or a single one: what is used of it, and the runs on it.

    recent: its last loads. runs: names. width: in cells. scheme: of the theme, see `colours`.
    """
    what = trouble(gpu, recent, runs)
    loud = f"bold {state_colour('failed', scheme)}".strip() if what else ""
    head = Text.assemble((f"{gpu.index}{'!' if what else ' '}".ljust(HEAD), loud))
    if gpu.lost:
        return [_fitted(head.append("lost: it answers no more", loud), width)]
    free = "free" if gpu.pids == () and not gpu.utilisation else ""
    holders = (one_line(", ".join(runs)), "bold") if runs else (free, "")
    names = Text.assemble((f"{what} ", loud) if what else "", holders)
    first = _single(head, gpu, width) if single else _bars(head, gpu, width)
    if single:
        return [_fitted(first + Text(" ") + names, width)]
    rest = " ".join(filter(None, (_temperature(gpu), _power(gpu))))
    cells = max((width - HEAD - len(rest)) // 3, MIN_HISTORY)
    second = Text(" " * HEAD + history(recent, cells)) + Text(f" {rest} ")
    mig = [
        Text(f"   MIG {one_line(each.uuid or '')[-8:]} {memory(each.memory_used, each.memory_total)}")
        for each in gpu.mig
    ]
    return [_fitted(line, width) for line in (first, second + names, *mig)]


def runs_on(gpu: Gpu, runs: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of the runs on a GPU and on its MIG instances. runs: names by the device of their slot, as a UUID."""
    return [name for slot in gpu.slots for name in runs.get(slot, ())]


def host_lines(host: Host, recent: Sequence[Load], width: int, single: bool) -> list[Text]:
    """The lines of processor and memory. single: one line, for a machine whose GPUs matter more."""
    used = memory(host.memory_used, host.memory_total)
    share = "" if host.cpu is None else f"{host.cpu:4.0%}"
    if single:
        return [_fitted(Text(f"CPU {share.strip()} of {host.cores} cores {used}"), width)]
    label = f"CPU {share} of {host.cores} cores "
    part = f"mem {used} "
    rooms = max(width - len(label), 0), max(width - len(part), 0)
    of_memory = host.memory_used / host.memory_total if host.memory_total else 0.0
    lines = [label + history(recent, rooms[0]), part + bar(of_memory, min(rooms[1], len(label)))]
    return [_fitted(Text(line.rstrip()), width) for line in lines]


def usage_line(name: str, usage: Usage, width: int) -> Text:
    """What a run uses of the processor and of memory. Its name is shortened so that the figures have room."""
    share = "" if usage.cpu is None else f"{usage.cpu:.1f} cores, "
    figures = f": {share}{format_bytes(usage.rss)}"
    return _fitted(Text(f"{shortened(one_line(name), max(width - len(figures), 3))}{figures}"), width)


def summary(sample: Sample) -> str:
    """A machine in a few words: mean utilisation, memory in use and highest temperature of the GPUs, or of the CPU."""
    host, gpus = sample.host, sample.gpus
    if not gpus:
        share = "" if host.cpu is None else f"{host.cpu:.0%} "
        return f"CPU {share}{memory(host.memory_used, host.memory_total)}"
    used = [gpu.utilisation for gpu in gpus if gpu.utilisation is not None]
    share = f" {sum(used) / len(used):.0%}" if used else ""
    hottest = max((gpu.temperature for gpu in gpus if gpu.temperature is not None), default=None)
    text = (
        f"{len(gpus)} GPUs{share}"
        if len(gpus) > 1
        else f"GPU{share} {memory(gpus[0].memory_used, gpus[0].memory_total)}"
    )
    return " ".join(filter(None, (text.strip(), "" if hottest is None else f"{hottest}°")))


def title(sample: Sample) -> str:
    """The kinds of GPUs of a machine: `2 × H100 80GB HBM3`; empty without a GPU."""
    names = Counter(short_name(gpu.name) for gpu in sample.gpus)
    return one_line(", ".join(f"{count} × {name or 'GPU'}" if count > 1 else name for name, count in names.items()))


def short_name(name: str | None) -> str:
    """The name of a GPU without its vendor: `H100 80GB HBM3`."""
    return (name or "").removeprefix("NVIDIA ").removeprefix("GeForce ")


def trouble(gpu: Gpu, recent: Sequence[Load], runs: Sequence[str]) -> str:
    """What is wrong with a GPU: `lost`, `hot`, or `stuck` (it has a run and does no work); empty if nothing is."""
    if gpu.lost:
        return "lost"
    if gpu.temperature is not None and gpu.temperature >= HOT_CELSIUS:
        return "hot"
    idle = len(recent) >= STUCK_SAMPLES and all(load.utilisation == 0.0 for load in list(recent)[-STUCK_SAMPLES:])
    return "stuck" if runs and idle else ""


def bar(share: float, cells: int) -> str:
    """A bar of so many cells. share: the part that is full, in [0,1]."""
    return f"{'━' * round(min(share, 1.0) * cells):╌<{cells}}" if cells > 0 else ""


def history(recent: Sequence[Load], cells: int) -> str:
    """The last utilisations, one a cell; blank where none is known."""
    shares = [load.utilisation for load in recent][-cells:] if cells > 0 else []
    drawn = "".join(
        " " if math.isnan(share) else BLOCKS[min(int(share * len(BLOCKS)), len(BLOCKS) - 1)] for share in shares
    )
    return drawn.ljust(cells)


def memory(used: int | None, total: int | None, unit: str = " GB") -> str:
    """Memory in use and in all: `21/80 GB`, with a digit more below 10 GB."""
    if used is None or not total:
        return ""
    show: Callable[[int], str] = lambda count: f"{count / 1e9:.{0 if total >= 1e10 else 1}f}"  # noqa: E731
    return f"{show(used)}/{show(total)}{unit}"


def _bars(head: Text, gpu: Gpu, width: int) -> Text:
    used = memory(gpu.memory_used, gpu.memory_total)
    share = "" if gpu.utilisation is None else f" {gpu.utilisation:4.0%} "
    cells = max((width - HEAD - len(share) - len(used) - 1) // 2, 0)
    of_work = f"{bar(gpu.utilisation, cells)}{share}" if gpu.utilisation is not None else ""
    of_memory = f"{bar((gpu.memory_used or 0) / gpu.memory_total, cells)} {used}" if gpu.memory_total and used else ""
    return head + Text(of_work + of_memory)


def _single(head: Text, gpu: Gpu, width: int) -> Text:
    share = "" if gpu.utilisation is None else f"{bar(gpu.utilisation, 4)} {gpu.utilisation:4.0%}"
    power = _power(gpu).replace(" ", "") if width >= WIDE else ""
    parts = share, memory(gpu.memory_used, gpu.memory_total, "G"), _temperature(gpu), power
    return head + Text(" ".join(filter(None, parts)))


def _temperature(gpu: Gpu) -> str:
    return "" if gpu.temperature is None else f"{gpu.temperature}°"


def _power(gpu: Gpu) -> str:
    if gpu.power is None:
        return ""
    return f"{gpu.power:.0f}{'' if gpu.power_limit is None else f'/{gpu.power_limit:.0f}'} W"


def _fitted(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line
