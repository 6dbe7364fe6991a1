"""The history file: one small row for each run. Every writer of this file uses this module; TinyDB holds the rows.

The rows can be rebuilt from the run directories. A row with the status queued or running may be out of date: every
reader derives such a row again from the run directory.
"""

import time
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.history.derive_row import row_of
from fastadv_tui.history.find_rows import RowFinder, find_rows
from fastadv_tui.history.notes import Notes, notes_to_change, write_notes
from fastadv_tui.history.row import Row
from fastadv_tui.history.store.file_version import FileVersion, file_version
from fastadv_tui.history.store.migrations import NewerSchemaError
from fastadv_tui.history.store.reader import DAMAGED, read_rows
from fastadv_tui.paths import ensure_home, history_path, runs_dir
from fastadv_tui.runs.evaluation_jobs import measured_runs, remove
from fastadv_tui.runs.find import run_ids
from fastadv_tui.runs.observe import held_up
from fastadv_tui.runs.status import NO_FOLDER, NO_SUPERVISOR
from fastadv_tui.supervise.queue import RunQueue

if TYPE_CHECKING:
    from filelock import FileLock

    from fastadv_tui.history.store.transaction import Transaction

LOCK_SECONDS = 60.0  # longest wait for the lock of the history file
MISSING_FILE_REASONS = (  # the last three are the texts of earlier versions, which history files still hold
    NO_FOLDER, NO_SUPERVISOR,
    "its folder is gone", "its config.json cannot be read", "it was never started",
)  # fmt: skip


class HistoryError(UserError):
    """The history file or the notes of a run cannot be written. The old content is kept."""


class History:
    """The history of one home folder. `notices` collects lines for the user, such as "the file was rebuilt".

    `version` is that of the file whose rows the last `sync` returned: while the file has it, they are all rows.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or history_path()
        self.notices: list[str] = []
        self.version: FileVersion | None = None

    # -- reading ----------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All rows, the last submitted run first. The rows of live runs are derived again."""
        return sorted(self.sync(), key=lambda row: row.submitted, reverse=True)

    def get(self, run_id: str) -> Row | None:
        """The up-to-date row of a run; None if there is no such run."""
        return next((row for row in self.sync() if row.id == run_id), None)

    def find(self, word: str) -> Row:
        """The row of the run that a word means (see `RowFinder.find`). Raises: RunNotFoundError."""
        return find_rows([word], self._finder(), lambda row: True)[0]

    def find_all(self, words: Iterable[str]) -> list[Row]:
        """The rows of the runs that several words mean, each found as by `find`, and as up to date as those of `rows`.

        Raises: RunNotFoundError.
        """
        measured = measured_runs()
        return find_rows(words, self._finder(), lambda row: _may_have_changed(row, set(), measured))

    def find_ids(self, words: Iterable[str]) -> list[str]:
        """The ids of the runs that words mean, each id once. Words that are ids need no look at the history file.

        Raises: RunNotFoundError.
        """
        finder = self._finder()
        return list(dict.fromkeys(finder.find(word) for word in words))

    def sync(self) -> list[Row]:
        """All rows, up to date. Derives live rows again, adds rows of new runs, and writes the changes if possible."""
        self.version = file_version(self.path)  # before the read: who writes after this is noticed the next time
        rows = self._read_or_rebuild()
        known = {row.id: row for row in rows}
        queued, measured = _still_queued(rows), measured_runs()
        stale = [name for name in run_ids() if name not in known or _may_have_changed(known[name], queued, measured)]
        fresh = {name: row_of(RunDir(runs_dir() / name), known.get(name)) for name in stale}
        gone = [_lost(row) for row in rows if row.live and row.id not in fresh and row.id not in queued]
        changed = [row for row in (*fresh.values(), *gone) if row != known.get(row.id)]
        if not changed or self._write_if_possible(changed):
            remove(chain.from_iterable(measured.values()))
        return list({**known, **{row.id: row for row in changed}}.values())

    # -- writing ----------------------------------------------------------------------------------------------

    def record(self, rundir: RunDir) -> Row:
        """Bring a run's row up to date. Raises: HistoryError, if the history cannot be written."""
        with self._writing() as transaction:  # derive under the lock: an older row must not overwrite a newer one
            row = row_of(rundir, transaction.get(rundir.id))
            transaction.put([row] if rundir.path.exists() else [])
        return row

    def begin(self) -> None:
        """Write a file without rows in a home without runs. Then no reader takes the file for lost when the first runs
        are submitted, whose rows are written only after their start. Raises: HistoryError.
        """
        if not self.path.exists() and not run_ids():
            self.upsert([])

    def record_all(self, rundirs: Iterable[RunDir]) -> None:
        """As `record`, for many runs with one write. Raises: HistoryError."""
        with self._writing() as transaction:
            transaction.put([row_of(run, transaction.get(run.id)) for run in rundirs if run.path.exists()])

    def bring_up_to_date(self, rundir: RunDir) -> Row:
        """As `record`, but add a notice instead of raising an error if the history cannot be written."""
        try:
            return self.record(rundir)
        except UserError as error:
            self.notices.append(str(error))
            return row_of(rundir, self._known(rundir.id))

    def upsert(self, rows: Iterable[Row]) -> None:
        """Insert or replace rows. Raises: HistoryError."""
        with self._writing() as transaction:
            transaction.put(rows)

    def remove(self, run_id: str) -> None:
        """Forget a run. Raises: HistoryError."""
        with self._writing() as transaction:
            transaction.remove([run_id])

    def edit(self, rundir: RunDir, change: Callable[[Notes], None]) -> Row:
        """Change the user's notes on a run, in the run folder and in the row. Raises: HistoryError."""
        try:
            with self._lock():
                notes = notes_to_change(rundir)
                change(notes)
                write_notes(rundir, notes)
        except OSError as error:
            raise HistoryError(f"cannot write {rundir.notes} ({error})") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HistoryError(f"{rundir.notes} is damaged ({error}); move it away to write new notes") from None
        return self.record(rundir)

    def reindex(self, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
        """Derive every run's row again. Rows of runs without a folder are kept if the history file can be read.

        Returns: the number of run directories. Raises: HistoryError.
        """
        self._read_or_set_aside()
        return len(self._derive_all(progress))

    # -- the file ---------------------------------------------------------------------------------------------

    def _read_or_rebuild(self) -> list[Row]:
        rows = self._read_or_set_aside()
        if rows is not None:
            return rows
        try:
            return self._derive_all()
        except UserError as error:
            self.notices.append(str(error))
            return [row_of(RunDir(runs_dir() / name)) for name in run_ids()]

    def _read_or_set_aside(self) -> list[Row] | None:
        """The rows. If the file cannot be used, add a notice and return None; a damaged or newer file is renamed."""
        try:
            if self.path.exists() or not any(runs_dir().glob("*/config.json")):
                return read_rows(self.path)
            if any(runs_dir().glob("*/events.jsonl")):  # else a first run is being submitted: its row comes in a moment
                self.notices.append(f"{self.path} was missing and has been rebuilt from the run folders")
        except NewerSchemaError as error:
            return self._set_aside("newer", f"{self.path} was written by a newer version of fastadv ({error})")
        except DAMAGED as error:
            return self._set_aside("damaged", f"{self.path} was damaged ({error})")
        except OSError as error:
            self.notices.append(f"{self.path} cannot be read ({error.strerror}); the runs were read from their folders")
        return None

    def _finder(self) -> RowFinder:
        return RowFinder(lambda: self._read_or_none() or (), self.rows)

    def _known(self, run_id: str) -> Row | None:
        return next((row for row in self._read_or_none() or () if row.id == run_id), None)

    def _read_or_none(self) -> list[Row] | None:
        try:
            return read_rows(self.path)
        except (OSError, NewerSchemaError, *DAMAGED):
            return None

    def _set_aside(self, why: str, notice: str) -> list[Row] | None:
        """Rename the file that cannot be used, so that a new file can take its place.

        Returns: None; the rows, if another process has repaired the file meanwhile.
        """
        try:
            with self._lock():
                if (rows := self._read_or_none()) is not None:
                    return rows
                beside = _unused_path(self.path.with_name(f"{self.path.name}.{why}-{time.strftime('%Y%m%d-%H%M%S')}"))
                self.path.rename(beside)
            self.notices.append(f"{notice}; kept as {beside.name}; the history is rebuilt from the run folders")
        except OSError:
            self.notices.append(f"{notice}; the runs were read from their folders")
        return None

    def _derive_all(self, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Row]:
        """Derive and write every run's row under one lock, so that no edit is lost. Raises: HistoryError."""
        with self._writing() as transaction:
            rows, ids, folder = [], run_ids(), runs_dir()
            for number, name in enumerate(ids, 1):
                rows.append(row_of(RunDir(folder / name), transaction.get(name)))
                progress(number, len(ids))
            transaction.put(rows)
        return rows

    def _write_if_possible(self, rows: Iterable[Row]) -> bool:
        """Write the rows. If the disk is full or read-only, only add a notice: the rows can be derived again.

        Returns: whether the rows were written.
        """
        try:
            with self._writing() as transaction:
                transaction.put([newest for row in rows if (newest := _newest(transaction, row))])
            if transaction.read == self.version:  # else somebody has written rows that the caller does not have
                self.version = transaction.written
        except UserError as error:
            self.notices.append(str(error))
            return False
        return True

    @contextmanager
    def _writing(self) -> "Iterator[Transaction]":
        """Hold the lock, read the rows once, and write them once at the end. Raises: HistoryError."""
        from fastadv_tui.history.store.transaction import Transaction  # loads TinyDB, and most readers never write

        ensure_home()
        try:
            with self._lock():
                transaction = Transaction(self.path)
                yield transaction
                transaction.save()
        except (OSError, NewerSchemaError, *DAMAGED) as error:
            raise HistoryError(f"cannot write the history {self.path} ({error}); the file was not changed") from None

    def _lock(self) -> "FileLock":
        """The lock of the history file. Raises, when entered: OSError (filelock's Timeout is an OSError)."""
        from filelock import FileLock  # imported late: most readers never write

        return FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS, mode=0o600)


def _still_queued(rows: list[Row]) -> set[str]:
    """The runs that wait in this host's queue as their rows say. Their folders, maybe thousands, need no look."""
    queue = RunQueue.of_home()
    waiting = {ticket.id for ticket in queue.waiting()}
    if not waiting:
        return set()
    reason = held_up(queue, young=False)
    return {row.id for row in rows if row.status == "queued" and row.id in waiting and row.reason == reason}


def _may_have_changed(row: Row, queued: Container[str], measured: Container[str]) -> bool:
    """Whether the run folder may tell more than the row. queued: as `_still_queued`. measured: as `measured_runs`."""
    return (row.live and row.id not in queued) or row.id in measured or _misses_a_file(row)


def _misses_a_file(row: Row) -> bool:
    """Whether a row is incomplete only because a file could not be read; the file may have come back since."""
    return row.reason.startswith("config.json") or (row.status == "lost" and row.reason in MISSING_FILE_REASONS)


def _newest(transaction: "Transaction", row: Row) -> Row | None:
    """The row to write in place of a row that was derived before the lock was held; None if the run was removed.

    The row of a run that has ended is derived again, because the user may have edited or resumed the run meanwhile, and
    no reader corrects such a row later.
    """
    rundir = RunDir(runs_dir() / row.id)
    if rundir.path.exists():
        return row if row.live else row_of(rundir, transaction.get(row.id))
    return row if transaction.has(row.id) else None


def _unused_path(path: Path) -> Path:
    """A path where no file is: `path`, or `path` with a number at its end."""
    taken = (path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 1000)))
    return next((free for free in taken if not free.exists()), path)


def _lost(row: Row) -> Row:
    """The row of a run whose folder was removed while the run was live."""
    return msgspec.structs.replace(row, status="lost", reason=NO_FOLDER)
