"""Records about the processes of a run, in its directory: `queued.json`, `process.json` and `exit.json`."""

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from engine.config.typed import decode
from engine.protocol.files import write_atomic
from fastadv_tui.supervise.process_identity import ProcessIdentity

Record = TypeVar("Record", bound=Struct)
STALLED_SECONDS = 120.0  # how long a running run may write no event before it counts as stalled


class QueueRecord(Struct, frozen=True, kw_only=True):
    """`queued.json`: the newest attempt that somebody put into the queue of a host.

    The attempt waits as long as the queue holds a ticket for the run. t: unix time.
    """

    attempt: int
    host: str
    t: float


class ProcessRecord(Struct, frozen=True, kw_only=True):
    """`process.json`: the processes of the present attempt.

    engine: None until the engine starts. device: `cpu` or the UUID of a GPU.
    events_before: bytes of events.jsonl that earlier attempts wrote; a `finished` event there is not of this attempt.
    """

    attempt: int
    supervisor: ProcessIdentity
    engine: ProcessIdentity | None = None
    device: str = ""
    events_before: int = 0


class ExitRecord(Struct, frozen=True, kw_only=True):
    """`exit.json`: how an attempt ended. Only a parent process learns the exit code of the engine.

    The supervisor writes this record. Whoever cancels a queued run writes the record under the lock of the queue.

    t: unix time of the end. peak_memory: most bytes of main memory that this or an earlier attempt has held.
    code: exit code; negative for a signal; None if no engine was started (cancelled in the queue, or an `error`), or if
    nobody knows it. lost: why nobody knows; `fastadv bundle` writes it for a run whose processes died without a record.
    """

    attempt: int
    t: float
    code: int | None
    cancelled: bool = False
    killed: bool = False  # after a stop request: killed by the supervisor, or ended by SIGTERM at once
    out_of_memory: bool = False
    peak_memory: int = 0
    cpu_seconds: float = 0.0
    error: str = ""
    lost: str = ""


def read(path: Path, kind: type[Record]) -> Record | None:
    """The record in a file; None if the file is missing or damaged."""
    try:
        return decode(path.read_bytes(), kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write(path: Path, record: Struct) -> None:
    """Replace a record atomically. Raises: OSError."""
    write_atomic(path, msgspec.json.encode(record) + b"\n")


def write_exit(path: Path, ending: ExitRecord) -> None:
    """Replace the exit record of a run. The new one keeps the memory of earlier attempts. Raises: OSError."""
    earlier = read(path, ExitRecord)
    peak = max(ending.peak_memory, earlier.peak_memory if earlier else 0)
    write(path, msgspec.structs.replace(ending, peak_memory=peak))
