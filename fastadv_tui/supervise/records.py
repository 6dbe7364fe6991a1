"""The supervisor's two small files in a run directory: `process.json` and `exit.json`."""

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from engine.protocol.files import write_atomic
from fastadv_tui.supervise.process_identity import ProcessIdentity

Record = TypeVar("Record", bound=Struct)


class ProcessRecord(Struct, frozen=True, kw_only=True):
    """Who works on a run. `engine` is None while the run waits for its slot; `device` is `cpu` or a GPU's UUID.

    `events_before`: bytes of events.jsonl that earlier attempts wrote; their last word is not this attempt's.
    """

    attempt: int
    supervisor: ProcessIdentity
    engine: ProcessIdentity | None = None
    device: str = ""
    events_before: int = 0


class ExitRecord(Struct, frozen=True, kw_only=True):
    """How an attempt ended, which only a parent learns. `t`: unix time; `peak_memory`: bytes.

    `code` is negative for a signal and None where no engine was started: cancelled in the queue, or an `error`.
    """

    attempt: int
    t: float
    code: int | None
    cancelled: bool = False
    killed: bool = False  # by the supervisor, as it was asked to or as the grace period was over
    out_of_memory: bool = False
    peak_memory: int = 0
    cpu_seconds: float = 0.0
    error: str = ""


def read(path: Path, kind: type[Record]) -> Record | None:
    """A record; None if it is not there or cannot be understood."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write(path: Path, record: Struct) -> None:
    """Raises: OSError."""
    write_atomic(path, msgspec.json.encode(record) + b"\n")
