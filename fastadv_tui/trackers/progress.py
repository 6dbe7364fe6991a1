"""What was mirrored already, in `mirrors.json` of the run folder: a second `fastadv mirror` sends only what is new."""

from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config.typed import decode
from engine.protocol.files import write_atomic
from engine.protocol.rundir import RunDir


class Mirrored(Struct, frozen=True):
    """A run in one project of a tracker.

    remote: its id there. number: of the copy, from 1; `--again` begins the next one. events: how many of the run were
    sent. status: of the run when it was closed there; empty before.
    """

    remote: str = ""
    number: int = 1
    events: int = 0
    status: str = ""


def read_mirrored(rundir: RunDir, key: str) -> Mirrored:
    """The progress of one mirror; that of a new one if nothing is known. key: tool, project and mode."""
    return _read(_path(rundir)).get(key, Mirrored())


def write_mirrored(rundir: RunDir, key: str, progress: Mirrored) -> None:
    """Raises: OSError."""
    path = _path(rundir)
    write_atomic(path, msgspec.json.encode({**_read(path), key: progress}) + b"\n")


def _path(rundir: RunDir) -> Path:
    return rundir.path / "mirrors.json"


def _read(path: Path) -> dict[str, Mirrored]:
    try:
        return decode(path.read_bytes(), dict[str, Mirrored])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
