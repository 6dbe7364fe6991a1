"""Results of `fastadv eval RUN`, as lines of JSON in `evaluations.jsonl` of the run directory."""

import fcntl
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config.norms import LINF, Norm
from engine.config.typed import decoder
from engine.protocol.files import WriteError


class EvaluationRecord(Struct, frozen=True, kw_only=True):
    """The result of one attack on one checkpoint of a run. Readers ignore unknown fields and unreadable lines.

    time: end of the evaluation, ISO 8601 with the offset from UTC. checkpoint: `last` or `best`; step: number of its
    weight updates, 0 if unknown; weights: a hash of its weights. dataset, data: name and fingerprint of the data set.
    clean, robust: fractions in [0,1]. eps, step_size: fractions in [0,1], plain numbers for norm l2; step_size: 0 if
    the attack chooses its own. held_out, without_gradient, answers, fooled_by: as in the events.
    """

    time: str
    checkpoint: str
    step: int = 0
    weights: str
    dataset: str
    data: str
    held_out: bool = False
    attack: str
    norm: Norm = LINF
    eps: float
    step_size: float
    seed: int
    images: int
    clean: float
    robust: float
    without_gradient: int = 0
    answers: int = 0
    fooled_by: tuple[tuple[str, int], ...] = ()

    def question(self) -> tuple[object, ...]:
        """Everything that decides the result. Two records of one question are two measurements of the same thing."""
        return (
            *(self.checkpoint, self.step, self.weights, self.dataset, self.data, self.held_out),
            *(self.attack, self.norm, self.eps, self.step_size, self.seed, self.images),
        )


_DECODER = decoder(EvaluationRecord)


def iso_time(unix: float, timespec: str = "seconds") -> str:
    """A unix time in the time zone of this machine, as `2026-11-26T14:30:05+01:00`. timespec: as in `isoformat`."""
    return datetime.fromtimestamp(unix).astimezone().isoformat(timespec=timespec)


def append(path: Path, records: Iterable[Struct]) -> None:
    """Append records, each as one whole line. Several processes may append at once.

    Raises: WriteError, if the disk does not take the records; OSError. The file then stays as it was.
    """
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    with path.open("a+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        end = file.seek(0, os.SEEK_END)
        try:
            rest = memoryview(_line_break(path, end) + lines)
            while rest:  # a raw write may write only a part, for example on a full disk
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError as error:
            file.truncate(end)
            raise WriteError(path, error) from None


def read(path: Path) -> list[EvaluationRecord]:
    """The records of a file in their order. Lines that are torn or of an unknown form are left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    return [record for line in lines if (record := _decode(line)) is not None]


def _line_break(path: Path, end: int) -> bytes:
    """A line break if the file ends in half a line, which must not swallow the next record. end: size in bytes."""
    if not end:
        return b""
    with path.open("rb") as file:
        file.seek(end - 1)
        return b"" if file.read(1) == b"\n" else b"\n"


def _decode(line: bytes) -> EvaluationRecord | None:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
