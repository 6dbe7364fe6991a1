"""Writes an event file of TensorBoard while a run trains."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from engine.config.keys import flatten
from engine.config.run import RunConfig
from engine.protocol.event_log import Writer
from engine.protocol.events import AnyEvent, Started
from engine.protocol.rundir import RunDir
from engine.protocol.tensorboard.convert import Converter
from engine.protocol.tensorboard.messages import event, file_version
from engine.protocol.tensorboard.records import framed

PATTERN = "events.out.tfevents.{:06d}.fastadv"  # TensorBoard looks for `tfevents` and reads in the order of names
NOT_SHOWN = ("name", "data_dir", "log.tensorboard")  # settings that tell nothing about the training


def copy_events(writer: Writer, rundir: RunDir, config: RunConfig) -> None:
    """From now on, what `writer` writes goes into an event file in the run folder, too."""
    writer.copy_to(EventFile(rundir.path, rundir.id, shown_settings(config)), "the TensorBoard file")


def shown_settings(config: RunConfig) -> dict[str, Any]:
    """The settings that TensorBoard shows, by dotted key."""
    return {key: value for key, value in flatten(config).items() if key not in NOT_SHOWN}


class EventFile:
    """The event file of one attempt, in a folder with those of earlier attempts. It begins with the attempt.

    Each record is written at once and whole, so that a killed attempt leaves a torn record at most. The next attempt
    writes a file of its own, which tells the readers the step from which it goes on.
    """

    def __init__(self, folder: Path, run_id: str, settings: Mapping[str, Any]) -> None:
        self._folder, self._converter = folder, Converter(run_id, lambda: settings)
        self._file: BinaryIO | None = None

    def write(self, given: AnyEvent) -> None:
        """Write what TensorBoard can show of an event of the run. Raises: OSError."""
        if self._file is None and isinstance(given, Started):
            self._file = _next_path(self._folder).open("xb", buffering=0)
            write_records(self._file, [event(given.t, file_version())])
        if self._file is not None:
            write_records(self._file, self._converter.convert(given))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def write_records(file: BinaryIO, records: Iterable[bytes]) -> None:
    """Append records. Raises: OSError."""
    rest = memoryview(b"".join(map(framed, records)))
    while rest:  # a raw write may write only a part
        rest = rest[file.write(rest) :]


def _next_path(folder: Path) -> Path:
    """The path behind those of all event files of the folder."""
    taken = {path.name for path in folder.glob("*tfevents*")}
    number = len(taken) + 1
    while PATTERN.format(number) in taken:
        number += 1
    return folder / PATTERN.format(number)
