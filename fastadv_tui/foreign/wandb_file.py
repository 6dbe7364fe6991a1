"""Reads the files of W&B's offline runs (`run-ID.wandb`): a log of records of protocol buffers.

The log is LevelDB's (doc/log_format.md of google/leveldb) behind a header of seven bytes; its checksums are plain
CRC-32 of type and data. Fields are those of wandb/proto/wandb_internal.proto.
"""

import json
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from engine.protocol.tensorboard.records import MAX_RECORD, RecordError
from engine.protocol.tensorboard.wire import as_bytes, as_double, as_integer, as_text, fields
from fastadv_tui.foreign.found import MAX_RUNS, Budget, FoundRun, ImportFileError, Point, checked_step, checked_text

HEADER = b":W&B\xe1\xbe\x00"
BLOCK = 32768
CHUNK = struct.Struct("<IHB")  # checksum, length, type
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
HISTORY, CONFIG, RUN = 2, 5, 17  # fields of Record
STEP_NAMES = ("step", "global_step", "_step")  # of an item with the number of weight updates, the first one counts
EPOCH_NAME, TIME_NAME = "epoch", "_timestamp"


def read_wandb(path: Path) -> list[FoundRun]:
    """The runs of a file, of a folder `offline-run-...`, or of a folder with several of these.

    Raises: ImportFileError; RecordError, if a file is damaged; OSError.
    """
    below = (file for file in path.rglob("run-*.wandb") if file.is_file() and not file.is_symlink())
    files = [path] if path.is_file() else sorted(below)
    if not files:
        raise ImportFileError("has no file run-ID.wandb; type a folder offline-run-..., or its file")
    if len(files) > MAX_RUNS:
        raise ImportFileError(f"has more than {MAX_RUNS:,} runs; import a part of it")
    budget = Budget()
    return [_read_run(file, budget) for file in files]


def _read_run(path: Path, budget: Budget) -> FoundRun:
    run = FoundRun(name=path.stem.removeprefix("run-"))
    with path.open("rb") as file:
        for record in _records(file):
            for number, content in fields(record):
                if number == HISTORY:
                    budget.point()
                    run.points.append(_point(as_bytes(content), budget))
                elif number == CONFIG:
                    run.settings.update(_settings(as_bytes(content)))
                elif number == RUN:
                    _add_run(run, as_bytes(content))
    run.points.sort(key=lambda point: point.step)
    return run


def _records(file: BinaryIO) -> Iterator[bytes]:
    """The records of the log. A torn last record counts as not yet written. Raises: RecordError."""
    if file.read(len(HEADER)) != HEADER:
        raise RecordError("it is no file of W&B: its first bytes are wrong")
    parts: list[bytes] = []
    while chunk := _chunk(file):
        kind, data = chunk
        if kind not in (FULL, FIRST, MIDDLE, LAST) or (kind in (FULL, FIRST)) == bool(parts):
            raise RecordError(f"a record before byte {file.tell():,} is damaged: its parts do not fit")
        parts.append(data)
        if sum(map(len, parts)) > MAX_RECORD:
            raise RecordError(f"the record before byte {file.tell():,} has more than {MAX_RECORD:,} bytes")
        if kind in (FULL, LAST):
            yield b"".join(parts)
            parts = []


def _chunk(file: BinaryIO) -> tuple[int, bytes] | None:
    """The type and the data of the next part of a record; None at the end of the file."""
    left = BLOCK - file.tell() % BLOCK
    if left < CHUNK.size:
        file.seek(left, 1)
    place, head = file.tell(), file.read(CHUNK.size)
    if len(head) < CHUNK.size:
        return None
    checksum, length, kind = CHUNK.unpack(head)
    data = file.read(length)
    if len(data) < length:
        return None
    if zlib.crc32(data, zlib.crc32(bytes([kind]))) != checksum:
        raise RecordError(f"the record at byte {place:,} is damaged: its checksum is wrong")
    return kind, data


def _point(content: bytes, budget: Budget) -> Point:
    values: dict[str, float] = {}
    step = 0
    for number, part in fields(content):
        if number == 1:
            name, value = _item(as_bytes(part))
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                values[budget.name(name)] = float(value)
        elif number == 2:
            step = as_integer(dict(fields(as_bytes(part))).get(1, 0))
    step = round(next((values[name] for name in STEP_NAMES if name in values), step))
    return Point(step=checked_step(step), epoch=values.get(EPOCH_NAME), t=values.get(TIME_NAME, 0.0), values=values)


def _settings(content: bytes) -> Iterator[tuple[str, Any]]:
    """The settings of a ConfigRecord. Nested values are kept as texts, W&B's own (`_wandb`) are left out."""
    for number, part in fields(content):
        if number == 1:
            name, value = _item(as_bytes(part))
            if not name.startswith("_") and value is not None:
                yield name, value if isinstance(value, str | int | float) else checked_text(json.dumps(value))


def _add_run(run: FoundRun, content: bytes) -> None:
    """The name and the settings of a RunRecord."""
    for number, part in fields(content):
        if number == 4:
            run.settings.update(_settings(as_bytes(part)))
        elif number == 8 and (name := as_text(part)):
            run.name = checked_text(name)


def _item(data: bytes) -> tuple[str, Any]:
    """The name and the value of a HistoryItem or a ConfigItem; None for a value that cannot be read."""
    item = [*fields(data)]
    names = [as_text(part) for number, part in item if number in (1, 2)]
    name = checked_text("/".join(names))
    found = dict(item)
    if 16 in found:
        try:
            return name, json.loads(checked_text(as_text(found[16])))
        except (ValueError, RecursionError):
            return name, None
    if 5 in found:
        return name, as_integer(found[5])
    if 6 in found:
        return name, as_double(found[6])
    return name, as_text(found[7]) if 7 in found else None
