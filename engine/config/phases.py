"""Phases of a training: ranges of epochs with their own image size, minibatch size and learning rate.

Phases are typed, stored and shown as one line: `0-6:160/128:512:0.4..0.04 6-15:352/224:224:0.04..0`. The parts of a
phase are the epochs, SIZE/CROP in pixels, the images in a minibatch, and the learning rates at begin and end. Every
part but the epochs may be empty, and empty parts at the end may be left out.
"""

import itertools
import math
import re
from collections.abc import Sequence

from msgspec import Struct, structs

from engine.config.errors import ConfigError

MAX_EPOCHS = 100_000  # of a run
FORMAT_HINT = "write EPOCHS:SIZE/CROP:BATCH:LR..LR, for example 0-6:160/128:512:0.4..0.04"
_NUMBER = r"\d+(?:\.\d*)?(?:e-?\d+)?"
_PHASE = re.compile(
    rf"(?P<begin>\d+)-(?P<end>\d+)(?::(?:(?P<size>\d+)/(?P<crop>\d+))?"
    rf"(?::(?P<batch>\d+)?(?::(?:(?P<start>{_NUMBER})\.\.(?P<stop>{_NUMBER}))?)?)?)?"
)


class Phase(Struct, frozen=True):
    """Epochs from `begin` up to, but not including, `end`; epochs count from 0.

    size: shorter side of the source images in pixels, 0 for full size. crop: side of the network's input in pixels, 0
    for the data set's own. batch_size: images in a minibatch, 0 for the run's `batch_size`. lr: learning rates at begin
    and end, linear in between; None for the run's schedule.
    """

    begin: int
    end: int
    size: int = 0
    crop: int = 0
    batch_size: int = 0
    lr: tuple[float, float] | None = None

    def __str__(self) -> str:
        size = f"{self.size}/{self.crop}" if self.size or self.crop else ""
        lr = f"{self.lr[0]:g}..{self.lr[1]:g}" if self.lr else ""
        parts = [f"{self.begin}-{self.end}", size, str(self.batch_size or ""), lr]
        return ":".join(parts).rstrip(":")


def parse(text: str) -> tuple[Phase, ...]:
    """Read a line of phases. An empty line has none.

    Raises: ConfigError, if a phase cannot be read, if phases overlap or leave a gap, or if only some phases have a
    learning rate.
    """
    phases = tuple(_phase(part) for part in text.replace(";", " ").split())
    if not phases:
        return ()
    if phases[0].begin:
        raise ConfigError(f"phases begin at epoch {phases[0].begin}, not 0: let the first phase begin at 0")
    for before, after in itertools.pairwise(phases):
        if after.begin != before.end:
            what = "nothing covers" if after.begin > before.end else "two phases cover"
            low, high = sorted((before.end, after.begin))
            raise ConfigError(f"{what} epochs {low}-{high} of the phases: {before} and {after}")
    if len({phase.lr is None for phase in phases}) > 1:
        raise ConfigError("only some phases have a learning rate: give one to every phase or to none")
    return phases


def format_phases(phases: tuple[Phase, ...]) -> str:
    """Write phases as a line, the inverse of `parse`."""
    return " ".join(map(str, phases))


def scaled(phases: Sequence[Phase], epochs: int) -> tuple[Phase, ...]:
    """The phases stretched or shortened in proportion, so that the last one ends at `epochs`.

    Every phase keeps at least one epoch. If there are fewer epochs than phases, the phases that get less than half an
    epoch are left out.
    """
    total, later = phases[-1].end, len(phases)
    all_fit = epochs >= len(phases)
    found: list[Phase] = []
    for phase in phases:
        later -= 1  # phases after this one
        begin, end = found[-1].end if found else 0, round(phase.end * epochs / total)
        if all_fit:
            end = min(max(end, begin + 1), epochs - later)
        if end > begin:
            found.append(structs.replace(phase, begin=begin, end=end))
    return tuple(found)


def _phase(text: str) -> Phase:
    match = _PHASE.fullmatch(text)
    if not match:
        raise ConfigError(f"phase {text!r} cannot be read: {FORMAT_HINT}")
    begin, end, size, crop, batch = (int(match[key] or 0) for key in ("begin", "end", "size", "crop", "batch"))
    if end <= begin:
        raise ConfigError(f"phase {text!r} ends before it begins: write BEGIN-END with END above BEGIN")
    lr = (float(match["start"]), float(match["stop"])) if match["start"] else None
    if lr and not all(map(math.isfinite, lr)):
        raise ConfigError(f"phase {text!r}: the learning rate is not finite; write a smaller one")
    return Phase(begin, end, size, crop, batch, lr)
