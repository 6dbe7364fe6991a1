"""Phases of a training: stretches of epochs with image sizes, a minibatch size and a learning rate of their own.

They are typed, stored and shown as one line, `0-6:160/128:512:0.4..0.04 6-15:352/224:224:0.04..0`: epochs, size of the
source images over crop in pixels, images in a minibatch, learning rate at the begin and end. All but the epochs may
be left out, from the right or empty.
"""

import itertools
import math
import re

from msgspec import Struct

from engine.config.errors import ConfigError

HOW = "write EPOCHS:SIZE/CROP:BATCH:LR..LR, for one 0-6:160/128:512:0.4..0.04"
_NUMBER = r"\d+(?:\.\d*)?(?:e-?\d+)?"
_PHASE = re.compile(
    rf"(?P<begin>\d+)-(?P<end>\d+)(?::(?:(?P<size>\d+)/(?P<crop>\d+))?"
    rf"(?::(?P<batch>\d+)?(?::(?:(?P<start>{_NUMBER})\.\.(?P<stop>{_NUMBER}))?)?)?)?"
)


class Phase(Struct, frozen=True):
    """Epochs `begin` to `end`. size: shorter side of the source images in pixels, 0 for full; crop: side of what the
    network sees, 0 for the data set's own; batch_size: 0 for the run's; lr: at the begin and the end, linear between,
    None for the run's schedule.
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
    """The phases of a line; none if it is empty.

    Raises: ConfigError, if they cannot be read, leave a gap or overlap, or only some have a learning rate.
    """
    phases = tuple(_phase(part) for part in text.replace(";", " ").split())
    if not phases:
        return ()
    if phases[0].begin:
        raise ConfigError(f"phases begin at epoch {phases[0].begin}, not 0")
    for before, after in itertools.pairwise(phases):
        if after.begin != before.end:
            what = "nothing covers" if after.begin > before.end else "two phases cover"
            low, high = sorted((before.end, after.begin))
            raise ConfigError(f"{what} epochs {low}-{high} of the phases: {before} and {after}")
    if len({phase.lr is None for phase in phases}) > 1:
        raise ConfigError("either every phase has a learning rate or none")
    return phases


def written(phases: tuple[Phase, ...]) -> str:
    """The line that `parse` reads."""
    return " ".join(map(str, phases))


def _phase(text: str) -> Phase:
    match = _PHASE.fullmatch(text)
    if not match:
        raise ConfigError(f"phase {text!r} cannot be read: {HOW}")
    begin, end, size, crop, batch = (int(match[key] or 0) for key in ("begin", "end", "size", "crop", "batch"))
    if end <= begin:
        raise ConfigError(f"phase {text!r} ends before it begins")
    lr = (float(match["start"]), float(match["stop"])) if match["start"] else None
    if lr and not all(map(math.isfinite, lr)):
        raise ConfigError(f"phase {text!r}: its learning rate is not finite")
    return Phase(begin, end, size, crop, batch, lr)
