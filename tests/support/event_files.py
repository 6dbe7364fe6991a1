"""Reads what event files of TensorBoard say, with our own reader of records and an own one of messages.

The reader drops what a restart makes void, as TensorBoard does. Where TensorBoard is installed, tests read with its own
reader, too.
"""

from pathlib import Path
from typing import Any

from engine.protocol.tensorboard.records import read_records
from engine.protocol.tensorboard.wire import as_bytes, as_integer, as_single, as_text, fields

Points = dict[str, list[tuple[int, float]]]  # by tag: step and value


def scalars(folder: Path) -> Points:
    """The numbers of all event files of a folder, in the order of their names."""
    found: Points = {}
    for path in sorted(folder.glob("*tfevents*")):
        with path.open("rb") as file:
            for record in read_records(file):
                _add(found, dict(fields(record)))
    return found


def _add(found: Points, event: dict[int, Any]) -> None:
    step = as_integer(event.get(2, 0))
    if 7 in event:
        for tag, points in found.items():
            found[tag] = [point for point in points if point[0] < step]
    for _, value in fields(as_bytes(event.get(5, b""))):
        parts = dict(fields(as_bytes(value)))
        if 2 in parts:
            found.setdefault(as_text(parts[1]), []).append((step, as_single(parts[2])))


def scalars_of_tensorboard(folder: Path) -> Points:
    """The same with TensorBoard's own reader. Raises: ImportError, if it is not installed."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    reader.Reload()
    return {tag: [(each.step, each.value) for each in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
