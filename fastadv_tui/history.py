"""The index of all runs, on TinyDB: small rows that can be rebuilt from the run directories. The only writer of it.

A row that says queued or running is never believed: whoever reads it derives it again from the run directory.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout
from tinydb import TinyDB
from tinydb.storages import MemoryStorage
from tinydb.table import Document, Table

from engine.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.home import RunNotFoundError, all_runs, ensure_home, find_run, history_path, runs_dir
from fastadv_tui.migrations import SCHEMA, NewerSchemaError, Tables, migrate
from fastadv_tui.rows import Notes, Row, read_notes, row_of, write_notes
from fastadv_tui.storage import AtomicStorage

RUNS, META = "runs", "meta"
LOCK_SECONDS = 60.0
DAMAGED = (msgspec.DecodeError, UnicodeDecodeError)  # also msgspec.ValidationError
_ROWS = list[Row]


class HistoryError(UserError):
    """The history cannot be written; nothing in it was lost."""


class History:
    """The history of one home. `notices` collects lines that the user should see (a file that was rebuilt)."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or history_path()
        self.notices: list[str] = []

    # -- reading ----------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All rows, the live ones derived anew, the last submitted first."""
        return sorted(self.sync(), key=lambda row: row.submitted, reverse=True)

    def get(self, run_id: str) -> Row | None:
        """One run's row, up to date."""
        return next((row for row in self.sync() if row.id == run_id), None)

    def find(self, name: str) -> Row:
        """The row of the run that `name` means (see `home.find_run`), also of one whose folder is gone.

        Raises: RunNotFoundError.
        """
        try:
            return row_of(find_run(name))
        except RunNotFoundError:
            found = [row for row in self._read_quietly() or () if name and row.id.startswith(name)]
            if len(found) != 1 or name == "last":
                raise
            return found[0]

    def sync(self) -> list[Row]:
        """Derive live rows anew and add runs that have none; writes what changed, if it can be written."""
        rows = self._read_or_rebuild()
        known = {row.id: row for row in rows}
        stale = [run for run in _runs() if run.id not in known or known[run.id].live]
        fresh = {run.id: row_of(run) for run in stale}
        gone = [_lost(row) for row in rows if row.live and row.id not in fresh]
        changed = [row for row in (*fresh.values(), *gone) if row != known.get(row.id)]
        if changed:
            self._write_if_possible(changed)
        return list({**known, **{row.id: row for row in changed}}.values())

    # -- writing ----------------------------------------------------------------------------------------------

    def record(self, rundir: RunDir) -> Row:
        """Bring a run's row up to date. Raises: HistoryError, if it cannot be written."""
        with self._writing() as table:  # derived under the lock, or an older row could overwrite a newer one
            row = row_of(rundir)
            _put(table, [row] if rundir.path.exists() else [])
        return row

    def bring_up_to_date(self, rundir: RunDir) -> Row:
        """As `record`, but a history that cannot be written is a notice, not an error."""
        try:
            return self.record(rundir)
        except UserError as error:
            self.notices.append(str(error))
            return row_of(rundir)

    def upsert(self, rows: Iterable[Row]) -> None:
        """Insert or replace rows. Raises: HistoryError."""
        with self._writing() as table:
            _put(table, rows)

    def remove(self, run_id: str) -> None:
        """Forget a run. Raises: HistoryError."""
        with self._writing() as table:
            if table.contains(doc_id=_number(run_id)):
                table.remove(doc_ids=[_number(run_id)])

    def edit(self, rundir: RunDir, change: Callable[[Notes], None]) -> Row:
        """Change the user's notes on a run, in its folder and in its row. Raises: HistoryError."""
        try:
            with self._lock():
                notes = read_notes(rundir)
                change(notes)
                write_notes(rundir, notes)
        except (OSError, Timeout) as error:
            raise HistoryError(f"cannot write {rundir.notes} ({error})") from None
        return self.record(rundir)

    def reindex(self, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
        """Derive every run's row anew; rows whose folder is gone are kept if the file can be read.

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
            return [row_of(run) for run in _runs()]

    def _read_or_set_aside(self) -> list[Row] | None:
        """The rows; None, with a notice, where the file cannot be used: one that is no good is set aside."""
        try:
            if self.path.exists() or not any(runs_dir().glob("*/config.json")):
                return self._read()
            self.notices.append(f"{self.path} was missing and has been rebuilt from the run folders")
        except NewerSchemaError as error:
            return self._set_aside("newer", f"{self.path} is of a newer version ({error})")
        except DAMAGED as error:
            return self._set_aside("damaged", f"{self.path} was damaged ({error})")
        except OSError as error:
            self.notices.append(f"{self.path} cannot be read ({error.strerror}); read from the run folders instead")
        return None

    def _read(self) -> list[Row]:
        """Raises: OSError, NewerSchemaError, those in DAMAGED."""
        return msgspec.convert(list(_tables(self.path).get(RUNS, {}).values()), _ROWS)

    def _read_quietly(self) -> list[Row] | None:
        try:
            return self._read()
        except (OSError, NewerSchemaError, *DAMAGED):
            return None

    def _set_aside(self, why: str, notice: str) -> list[Row] | None:
        """Keep the file that cannot be used beside the one that takes its place; its rows, if another process has
        put it right meanwhile.
        """
        try:
            with self._lock():
                if (rows := self._read_quietly()) is not None:
                    return rows
                beside = _unused(self.path.with_name(f"{self.path.name}.{why}-{time.strftime('%Y%m%d-%H%M%S')}"))
                self.path.rename(beside)
            self.notices.append(f"{notice}; it is kept as {beside.name}, and rebuilt from the run folders")
        except (OSError, Timeout):
            self.notices.append(f"{notice}; read from the run folders instead")
        return None

    def _derive_all(self, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Row]:
        """Every run's row, derived and written under one lock, so that no edit is lost. Raises: HistoryError."""
        with self._writing() as table:
            rows, runs = [], _runs()
            for number, run in enumerate(runs, 1):
                rows.append(row_of(run))
                progress(number, len(runs))
            _put(table, rows)
        return rows

    def _write_if_possible(self, rows: Iterable[Row]) -> None:
        """What is derived can be derived again: a disk that is full or read-only is no reason to fail a reader."""
        try:
            with self._writing() as table:
                _put(table, [newest for row in rows if (newest := _newest(table, row))])
        except UserError as error:
            self.notices.append(str(error))

    @contextmanager
    def _writing(self) -> Iterator[Table]:
        """The table of runs, under the lock, read and written once whatever is done with it."""
        ensure_home()
        try:
            with self._lock():
                file, buffer = AtomicStorage(self.path), MemoryStorage()  # type: ignore[no-untyped-call]
                buffer.memory = _tables(self.path)
                yield TinyDB(storage=lambda: buffer).table(RUNS, cache_size=0)
                file.write({**buffer.memory, META: {"1": {"schema": SCHEMA}}})
        except (OSError, Timeout, NewerSchemaError, *DAMAGED) as error:
            raise HistoryError(f"cannot write the history {self.path} ({error}); nothing in it was changed") from None

    def _lock(self) -> FileLock:
        return FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS, mode=0o600)


def _tables(path: Path) -> Tables:
    """The file's tables in the present version; none where it is missing.

    Raises: OSError, NewerSchemaError, those in DAMAGED.
    """
    tables = migrate(AtomicStorage(path).read() or {})
    for key in tables.get(RUNS, {}):
        if not key.isdecimal():
            raise msgspec.ValidationError(f"{key!r} is not the number of a row")
    return tables


def _runs() -> list[RunDir]:
    """The run directories; a name that is no text is nothing that we made, and JSON could not hold it."""
    return [run for run in all_runs() if run.id.isprintable()]


def _put(table: Table, rows: Iterable[Row]) -> None:
    """Upsert many rows at once; TinyDB's own upsert goes through the whole table for each."""
    documents = {_number(row.id): _document(row) for row in rows}
    table.remove(doc_ids=[number for number in documents if table.contains(doc_id=number)])
    table.insert_multiple(documents.values())


def _newest(table: Table, row: Row) -> Row | None:
    """What is to be written of a row that was derived before the lock was held; None if the run was removed since.

    A row that says ended will be believed, and the run may have been edited or resumed meanwhile.
    """
    rundir = RunDir(runs_dir() / row.id)
    if rundir.path.exists():
        return row if row.live else row_of(rundir)
    return row if table.contains(doc_id=_number(row.id)) else None


def _unused(path: Path) -> Path:
    """A path that nothing is at: this one, or with a number behind it."""
    taken = (path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 1000)))
    return next((free for free in taken if not free.exists()), path)


def _number(run_id: str) -> int:
    """TinyDB's document id of a run: one for each name of a folder."""
    return int.from_bytes(run_id.encode(), "big")


def _document(row: Row) -> Document:
    return Document(msgspec.to_builtins(row), doc_id=_number(row.id))


def _lost(row: Row) -> Row:
    """The row of a run whose folder went away while it was live."""
    return msgspec.structs.replace(row, status="lost", reason="its folder is gone")
