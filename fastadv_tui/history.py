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
from fastadv_tui.migrations import SCHEMA, NewerSchemaError, migrate
from fastadv_tui.rows import Notes, Row, read_notes, row_of, write_notes
from fastadv_tui.storage import AtomicStorage

RUNS, META = "runs", "meta"
LOCK_SECONDS = 60.0
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
            found = [row for row in self._read_quietly() if name and row.id.startswith(name)]
            if len(found) != 1 or name == "last":
                raise
            return found[0]

    def sync(self) -> list[Row]:
        """Derive live rows anew and add runs that have none; writes what changed, if it can be written."""
        rows = self._read_or_rebuild()
        known = {row.id: row for row in rows}
        stale = [run for run in all_runs() if run.id not in known or known[run.id].live]
        fresh = {run.id: row_of(run) for run in stale}
        gone = [_lost(row) for row in rows if row.live and row.id not in fresh]
        changed = [row for row in (*fresh.values(), *gone) if row != known.get(row.id)]
        if changed:
            self._write_if_possible(changed)
        return list({**known, **{row.id: row for row in changed}}.values())

    # -- writing ----------------------------------------------------------------------------------------------

    def record(self, rundir: RunDir) -> Row:
        """Bring a run's row up to date. Raises: HistoryError, if it cannot be written."""
        row = row_of(rundir)
        self.upsert([row])
        return row

    def bring_up_to_date(self, rundir: RunDir) -> Row:
        """As `record`, but a history that cannot be written is a notice, not an error."""
        row = row_of(rundir)
        self._write_if_possible([row])
        return row

    def upsert(self, rows: Iterable[Row]) -> None:
        """Insert or replace rows. Raises: HistoryError."""
        with self._writing() as table:
            for row in rows:
                table.upsert(_document(row))

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
        """Rebuild the file from the run directories; rows whose folder is gone are kept if they can be read."""
        kept = {row.id: row for row in self._read_quietly()}
        runs = all_runs()
        for number, run in enumerate(runs, 1):
            kept[run.id] = row_of(run)
            progress(number, len(runs))
        self._replace(kept.values())
        return len(runs)

    # -- the file ---------------------------------------------------------------------------------------------

    def _read_or_rebuild(self) -> list[Row]:
        try:
            if self.path.exists() or not any(runs_dir().glob("*/config.json")):
                return self._read()
            self.notices.append(f"{self.path} was missing and has been rebuilt from the run folders")
        except NewerSchemaError as error:
            self._set_aside("newer", f"{self.path} is of a newer version ({error})")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._set_aside("damaged", f"{self.path} was damaged ({error})")
        except OSError as error:
            self.notices.append(f"{self.path} cannot be read ({error.strerror}); read from the run folders instead")
        rows = [row_of(run) for run in all_runs()]
        self._write_if_possible(rows)
        return rows

    def _read(self) -> list[Row]:
        """Raises: OSError, msgspec.DecodeError, NewerSchemaError."""
        tables = migrate(AtomicStorage(self.path).read() or {})
        return msgspec.convert(list(tables.get(RUNS, {}).values()), _ROWS)

    def _read_quietly(self) -> list[Row]:
        try:
            return self._read()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, NewerSchemaError):
            return []

    def _set_aside(self, why: str, notice: str) -> None:
        """Keep the file that cannot be used beside the one that takes its place."""
        beside = self.path.with_name(f"{self.path.name}.{why}-{time.strftime('%Y%m%d-%H%M%S')}")
        try:
            with self._lock():
                self.path.rename(beside)
            self.notices.append(f"{notice}; it is kept as {beside.name}, and rebuilt from the run folders")
        except (OSError, Timeout):
            self.notices.append(f"{notice}; read from the run folders instead")

    def _write_if_possible(self, rows: Iterable[Row]) -> None:
        """What is derived can be derived again: a disk that is full or read-only is no reason to fail a reader."""
        try:
            self.upsert(rows)
        except UserError as error:
            self.notices.append(str(error))

    def _replace(self, rows: Iterable[Row]) -> None:
        with self._writing() as table:
            table.truncate()
            table.insert_multiple(_document(row) for row in rows)

    @contextmanager
    def _writing(self) -> Iterator[Table]:
        """The table of runs, under the lock, read and written once whatever is done with it."""
        ensure_home()
        try:
            with self._lock():
                file, buffer = AtomicStorage(self.path), MemoryStorage()  # type: ignore[no-untyped-call]
                buffer.memory = migrate(file.read() or {})
                yield TinyDB(storage=lambda: buffer).table(RUNS, cache_size=0)
                file.write({**buffer.memory, META: {"1": {"schema": SCHEMA}}})
        except (OSError, Timeout, NewerSchemaError, msgspec.DecodeError) as error:
            raise HistoryError(f"cannot write the history {self.path} ({error}); nothing in it was changed") from None

    def _lock(self) -> FileLock:
        return FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS, mode=0o600)


def _number(run_id: str) -> int:
    """TinyDB's document id of a run: one for each name of a folder."""
    return int.from_bytes(run_id.encode(), "big")


def _document(row: Row) -> Document:
    return Document(msgspec.to_builtins(row), doc_id=_number(row.id))


def _lost(row: Row) -> Row:
    """The row of a run whose folder went away while it was live."""
    return msgspec.structs.replace(row, status="lost", reason="its folder is gone")
