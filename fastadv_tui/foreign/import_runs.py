"""Imports foreign runs into the home: all runs of a path, or none."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from engine.config.errors import UserError
from engine.protocol.files import write_atomic
from engine.protocol.rundir import RunDir
from engine.protocol.tensorboard.records import RecordError
from fastadv_tui.foreign.csv_file import read_csv
from fastadv_tui.foreign.found import FoundRun, ImportFileError
from fastadv_tui.foreign.make import Made, Typed, make
from fastadv_tui.foreign.tensorboard_files import read_tensorboard
from fastadv_tui.foreign.wandb_file import read_wandb
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import Notes, read_notes, write_notes
from fastadv_tui.history.row import Row
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.runs.create import create_whole_folder
from fastadv_tui.runs.foreign import FILE, Source, read_foreign

READERS: dict[Source, Callable[[Path], list[FoundRun]]] = {
    "csv": read_csv,
    "tensorboard": read_tensorboard,
    "wandb-offline": read_wandb,
}


def import_runs(source: Source, path: Path, typed: Typed, tags: Sequence[str] = ()) -> list[Row]:
    """Make a run of each run that a path has. A run that was imported before is replaced, and keeps its notes.

    Returns: the rows of the history.
    Raises: ImportFileError, whose message begins with the path; HistoryError; OSError.
    """
    made = _made(source, path, typed)
    ensure_home()
    folders = [RunDir(runs_dir() / each.run_id) for each in made]
    for rundir, each in zip(folders, made, strict=True):
        _write(rundir, each, tags)
    history = History()
    history.record_all(folders)
    return history.find_all([rundir.id for rundir in folders])


def _made(source: Source, path: Path, typed: Typed) -> list[Made]:
    try:
        now, found = time.time(), READERS[source](path)
        if not found:
            raise ImportFileError("has no run in it")
        if typed.name and len(found) > 1:
            raise ImportFileError(f"has {len(found)} runs, which cannot have one name; leave --name out")
        return [make(run, source, str(path), typed, now) for run in found]
    except (ImportFileError, RecordError) as error:
        raise ImportFileError(f"{path}: {error}") from None
    except OSError as error:
        raise ImportFileError(f"{path} cannot be read ({error.strerror or error}); type another path") from None


def _write(rundir: RunDir, made: Made, tags: Sequence[str]) -> None:
    """Raises: UserError, if a run of our own has the id; OSError."""
    files = {rundir.events.name: made.content, FILE: msgspec.json.encode(made.foreign) + b"\n"}
    if not rundir.path.exists():
        create_whole_folder(rundir.path, files)
    elif read_foreign(rundir) is None:
        raise UserError(f"{rundir.path} is in the way, and is no imported run; remove it, or rename the file to import")
    else:
        for name, content in files.items():
            write_atomic(rundir.path / name, content)
    if tags:
        notes = read_notes(rundir)
        write_notes(rundir, Notes(notes.name, [*dict.fromkeys((*notes.tags, *tags))], notes.note, notes.pinned))
