"""Reads event files of TensorBoard: one file, a folder of a run, or a folder with a folder for each run."""

import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.protocol.tensorboard.messages import SESSION_START, START_TAG
from engine.protocol.tensorboard.records import read_records
from engine.protocol.tensorboard.wire import Value, as_bytes, as_double, as_integer, as_single, as_text, fields
from fastadv_tui.foreign.found import MAX_RUNS, Budget, FoundRun, ImportFileError, Point, checked_step, checked_text

MARK = "tfevents"  # in the name of each event file
FORMS = {1: ("<f", 5), 2: ("<d", 6)}  # of a tensor of float32 and float64: of a number, and the field of numbers

Scalar = tuple[int, float, str, float]  # step, Unix time, tag, value


def read_tensorboard(path: Path) -> list[FoundRun]:
    """The runs below a path. Raises: ImportFileError; RecordError, if a file is damaged; OSError."""
    budget = Budget()
    return [_read_run(name, files, budget) for name, files in _files_by_run(path)]


def _files_by_run(path: Path) -> list[tuple[str, list[Path]]]:
    """The name and the event files of each run. Links are not followed."""
    if path.is_file():
        return [(path.parent.name or path.name, [path])]
    found = []
    for folder, _, names in os.walk(path):
        files = [Path(folder) / name for name in sorted(names) if MARK in name]
        files = [file for file in files if not file.is_symlink() and file.is_file()]
        if files:
            relative = os.path.relpath(folder, path)
            found.append((checked_text(path.name if relative == "." else relative), files))
        if len(found) > MAX_RUNS:
            raise ImportFileError(f"has more than {MAX_RUNS:,} runs; import a part of it")
    if not found:
        raise ImportFileError(f"has no event file, whose name has {MARK} in it")
    return sorted(found)


def _read_run(name: str, files: list[Path], budget: Budget) -> FoundRun:
    scalars: list[Scalar] = []
    run = FoundRun(name=name)
    for path in files:
        with path.open("rb") as file:
            for record in read_records(file):
                scalars = _add(scalars, record, run.settings, budget)
    run.points = _points(scalars)
    return run


def _add(scalars: list[Scalar], record: bytes, settings: dict[str, Any], budget: Budget) -> list[Scalar]:
    """The numbers after one more event. A session log that starts drops those from its step on."""
    event = dict(fields(record))
    step = as_integer(event.get(2, 0))
    t = as_double(event[1]) if 1 in event else 0.0
    if 7 in event and dict(fields(as_bytes(event[7]))).get(1) == SESSION_START:
        return [scalar for scalar in scalars if scalar[0] < step]
    for number, value in fields(as_bytes(event.get(5, b""))):
        if number == 1:
            parts = dict(fields(as_bytes(value)))
            tag = budget.name(as_text(parts.get(1, b"")))
            if tag == START_TAG:
                settings.update(_hparams(as_bytes(parts.get(9, b""))))
            elif (found := _number(parts)) is not None and math.isfinite(found):
                budget.point()
                scalars.append((checked_step(step), t, tag, found))
    return scalars


def _number(parts: dict[int, Value]) -> float | None:
    """The number of a value: a simple value, or a tensor with one number of float32 or float64. None for others."""
    if 2 in parts:
        return as_single(parts[2])
    if 8 not in parts:
        return None
    tensor = dict(fields(as_bytes(parts[8])))
    form, place = FORMS.get(as_integer(tensor.get(1, 0)), ("", 0))
    content = tensor.get(4) or tensor.get(place) if form else None
    if not isinstance(content, bytes) or len(content) != struct.calcsize(form):
        return None
    number: float = struct.unpack(form, content)[0]
    return number


def _hparams(metadata: bytes) -> Iterator[tuple[str, Any]]:
    """The settings in the metadata of the value START_TAG."""
    plugin = dict(fields(as_bytes(dict(fields(metadata)).get(1, b""))))
    content = dict(fields(as_bytes(plugin.get(2, b""))))
    for number, entry in fields(as_bytes(content.get(3, b""))):
        if number == 1:
            pair = dict(fields(as_bytes(entry)))
            yield checked_text(as_text(pair.get(1, b""))), _setting(as_bytes(pair.get(2, b"")))


def _setting(data: bytes) -> Any:
    """A google.protobuf.Value that is a number, a text or a truth value; None for others."""
    value = dict(fields(data))
    if 2 in value:
        number = as_double(value[2])
        return number if math.isfinite(number) else None
    if 3 in value:
        return checked_text(as_text(value[3]))
    return bool(value[4]) if 4 in value else None


def _points(scalars: list[Scalar]) -> list[Point]:
    """The numbers of each step as one point, in the order of steps."""
    points: dict[int, Point] = {}
    for step, t, tag, value in scalars:
        point = points.setdefault(step, Point(step=step, epoch=None, t=t, values={}))
        point.values[tag] = value
    found = [points[step] for step in sorted(points)]
    for point in found:
        point.epoch = next((value for tag, value in point.values.items() if tag.casefold() == "epoch"), None)
    return found
