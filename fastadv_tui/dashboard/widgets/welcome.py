"""The card of a home without runs: what to press first, and what was found on this machine."""

from collections import Counter
from collections.abc import Sequence

from rich.text import Text
from textual.widgets import Static

from fastadv_tui.dashboard.widgets.machine_lines import short_name
from fastadv_tui.hardware.sampler import Sample
from fastadv_tui.launch.found_data import found_datasets
from fastadv_tui.text.quantities import format_bytes
from fastadv_tui.text.sanitize import one_line

KEYS = (
    ("d", "demo: train a robust network on digits, about a minute"),
    ("n", "new run: choose data set, method and eps"),
    ("?", "help: every key"),
)
SHELL = "fastadv run digits"  # a data set that needs no download
KEYS_READONLY = KEYS[-1:]


class Welcome(Static, can_focus=True):
    """Shows the first keys, the devices of a sample, and the data sets that need no download.

    It takes the focus, which would else fall to a field of the hidden panels, and the keys with it.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(markup=False, **options)  # type: ignore[arg-type]
        self._sample: Sample | None = None
        self._datasets: Sequence[str] | None = None

    def show(self, sample: Sample | None, readonly: bool) -> None:
        """Show the card. sample: of the machine; None if none was taken yet."""
        if self._datasets is None:
            self._datasets = found_datasets()
        self._sample = sample
        first = "No runs yet. Press n to start one, or d for the demo." if not readonly else "No runs yet."
        lines = [Text.assemble(("fastadv", "bold"), "  fast adversarial training: launch, watch, compare")]
        lines += [Text(), Text(first), Text()]
        lines += [
            Text.assemble((f"   {key}", "bold"), f"   {what}") for key, what in (KEYS_READONLY if readonly else KEYS)
        ]
        lines += [Text(), Text(one_line(f"here    {self._found()}")), Text(f"shell   {SHELL}")]
        self.update(Text("\n").join(lines))

    def _found(self) -> str:
        parts = [devices(self._sample)] if self._sample else []
        return "; ".join([*parts, f"data: {', '.join(self._datasets or ())}"])


def devices(sample: Sample) -> str:
    """The devices of a machine in words: `2 GPUs (H100 80GB HBM3)`, or the cores and the memory of the CPU."""
    if not sample.gpus:
        host = sample.host
        part = f"{host.usable} of " if host.usable and host.usable < host.cores else ""
        return f"CPU with {part}{host.cores} cores, {format_bytes(host.memory_total)} of memory"
    names = Counter(short_name(gpu.name) for gpu in sample.gpus)
    return ", ".join(f"{count} GPU{'s' * (count > 1)} ({name or 'of unknown kind'})" for name, count in names.items())
