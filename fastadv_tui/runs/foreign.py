"""Runs that another program has trained: `foreign.json` in a run folder takes the place of `config.json`."""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from engine.config.norms import LINF, Norm
from engine.config.typed import decode
from engine.protocol.files import write_atomic
from engine.protocol.rundir import RunDir

FOREIGN = "foreign"  # the status of such a run: it cannot be resumed, and nobody has checked how it was measured
FILE = "foreign.json"
Source = Literal["csv", "tensorboard", "wandb-offline"]


class Foreign(Struct, frozen=True, kw_only=True):
    """What is known about a foreign run. Accuracies are in [0,1]; so is eps, but a plain number for norm l2.

    source, path: what was read, and where. imported: Unix time. settings: as the other program named them.
    clean, robust, attack, images: of the result to compare with; empty or 0 if nobody said. final: whether it was
    measured after training. unknown: the figures of `step` events that stand there as 0 because the file lacks them.
    """

    source: Source
    path: str
    imported: float
    name: str
    dataset: str = ""
    method: str = ""
    norm: Norm = LINF
    eps: float = 0.0
    seed: int = 0
    settings: dict[str, Any] = {}
    clean: float | None = None
    robust: float | None = None
    attack: str = ""
    images: int = 0
    final: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where the run comes from, in words."""
        return f"imported from {self.source}: {self.path}"


def read_foreign(rundir: RunDir) -> Foreign | None:
    """The facts of a foreign run; None for a run of our own, and if the file cannot be read."""
    try:
        return decode((rundir.path / FILE).read_bytes(), Foreign)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_foreign(rundir: RunDir, foreign: Foreign) -> None:
    """Raises: OSError."""
    write_atomic(rundir.path / FILE, msgspec.json.encode(foreign) + b"\n")
