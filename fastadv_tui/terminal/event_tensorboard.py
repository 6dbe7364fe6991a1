"""Writes the events of runs as event files of TensorBoard: a folder for each run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.protocol.event_log import read
from engine.protocol.events import Event
from engine.protocol.files import FOR_ALL, replacing
from engine.protocol.rundir import RunDir, SubmissionError
from engine.protocol.tensorboard.convert import Converter
from engine.protocol.tensorboard.event_file import PATTERN, shown_settings, write_records
from engine.protocol.tensorboard.messages import event, file_version
from fastadv_tui.errors import UserError


def as_tensorboard(runs: Sequence[RunDir], folder: Path) -> None:
    """Write the events of each run into a folder that is named by its id. An earlier export of the run is replaced.

    Raises: UserError, if a run has no events yet; OSError.
    """
    for run in runs:
        first = next(read(run.events), None)
        if first is None:
            raise UserError(f"{run.id} has no events yet; leave the run out, or wait until it has started")
        path = folder / run.id / PATTERN.format(1)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, FOR_ALL) as file:
            _write(file, run, first)


def _write(file: Any, run: RunDir, first: Event) -> None:
    converter = Converter(run.id, lambda: _settings(run))
    write_records(file, [event(first.t, file_version())])
    for each in read(run.events):
        write_records(file, converter.convert(each))


def _settings(run: RunDir) -> Mapping[str, Any]:
    """No settings for a run whose `config.json` cannot be read: its curves are worth the export."""
    try:
        return shown_settings(run.submission().config)
    except SubmissionError:
        return {}
