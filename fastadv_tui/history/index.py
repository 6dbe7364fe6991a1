"""The index of all runs, on TinyDB: small rows that can be rebuilt from the run directories. The only writer of it.

A row that says queued or running is never believed: whoever reads it derives it again from the run directory.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.history.derive_row import row_of
from fastadv_tui.history.notes import Notes, notes_to_change, write_notes
from fastadv_tui.history.row import Row
from fastadv_tui.history.store.migrations import NewerSchemaError
from fastadv_tui.history.store.reader import DAMAGED, read_rows
from fastadv_tui.paths import ensure_home, history_path, runs_dir
from fastadv_tui.runs.find import RunNotFoundError, find_run, run_ids
from fastadv_tui.runs.status import NO_CONFIG, NO_SUPERVISOR

if TYPE_CHECKING:
    from filelock import FileLock

    from fastadv_tui.history.store.transaction import Transaction

LOCK_SECONDS = 60.0
NO_FOLDER = "its folder is gone"


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
        """The row of the run that `name` means (see `runs.find.find_run`), also of one whose folder is gone.

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
        stale = [name for name in run_ids() if name not in known or known[name].live or _doubtful(known[name])]
        fresh = {name: row_of(RunDir(runs_dir() / name)) for name in stale}
        gone = [_lost(row) for row in rows if row.live and row.id not in fresh]
        changed = [row for row in (*fresh.values(), *gone) if row != known.get(row.id)]
        if changed:
            self._write_if_possible(changed)
        return list({**known, **{row.id: row for row in changed}}.values())

    # -- writing ----------------------------------------------------------------------------------------------

    def record(self, rundir: RunDir) -> Row:
        """Bring a run's row up to date. Raises: HistoryError, if it cannot be written."""
        with self._writing() as draft:  # derived under the lock, or an older row could overwrite a newer one
            row = row_of(rundir)
            draft.put([row] if rundir.path.exists() else [])
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
        with self._writing() as draft:
            draft.put(rows)

    def remove(self, run_id: str) -> None:
        """Forget a run. Raises: HistoryError."""
        with self._writing() as draft:
            draft.remove([run_id])

    def edit(self, rundir: RunDir, change: Callable[[Notes], None]) -> Row:
        """Change the user's notes on a run, in its folder and in its row. Raises: HistoryError."""
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
            return [row_of(RunDir(runs_dir() / name)) for name in run_ids()]

    def _read_or_set_aside(self) -> list[Row] | None:
        """The rows; None, with a notice, where the file cannot be used: one that is no good is set aside."""
        try:
            if self.path.exists() or not any(runs_dir().glob("*/config.json")):
                return read_rows(self.path)
            self.notices.append(f"{self.path} was missing and has been rebuilt from the run folders")
        except NewerSchemaError as error:
            return self._set_aside("newer", f"{self.path} is of a newer version ({error})")
        except DAMAGED as error:
            return self._set_aside("damaged", f"{self.path} was damaged ({error})")
        except OSError as error:
            self.notices.append(f"{self.path} cannot be read ({error.strerror}); read from the run folders instead")
        return None

    def _read_quietly(self) -> list[Row] | None:
        try:
            return read_rows(self.path)
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
        except OSError:
            self.notices.append(f"{notice}; read from the run folders instead")
        return None

    def _derive_all(self, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Row]:
        """Every run's row, derived and written under one lock, so that no edit is lost. Raises: HistoryError."""
        with self._writing() as draft:
            rows, ids, folder = [], run_ids(), runs_dir()
            for number, name in enumerate(ids, 1):
                rows.append(row_of(RunDir(folder / name)))
                progress(number, len(ids))
            draft.put(rows)
        return rows

    def _write_if_possible(self, rows: Iterable[Row]) -> None:
        """What is derived can be derived again: a disk that is full or read-only is no reason to fail a reader."""
        try:
            with self._writing() as draft:
                draft.put([newest for row in rows if (newest := _newest(draft, row))])
        except UserError as error:
            self.notices.append(str(error))

    @contextmanager
    def _writing(self) -> "Iterator[Transaction]":
        """The rows, under the lock, read and written once whatever is done with them."""
        from fastadv_tui.history.store.transaction import Transaction  # for the same reason

        ensure_home()
        try:
            with self._lock():
                draft = Transaction(self.path)
                yield draft
                draft.save()
        except (OSError, NewerSchemaError, *DAMAGED) as error:
            raise HistoryError(f"cannot write the history {self.path} ({error}); nothing in it was changed") from None

    def _lock(self) -> "FileLock":
        """Raises, when entered: OSError, of which filelock's Timeout is one."""
        from filelock import FileLock  # here, as most who look at the history never write it

        return FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS, mode=0o600)


def _doubtful(row: Row) -> bool:
    """Whether a run was called lost as something of it was not to be seen, perhaps only then."""
    return row.status == "lost" and row.reason in (NO_FOLDER, NO_CONFIG, NO_SUPERVISOR)


def _newest(draft: "Transaction", row: Row) -> Row | None:
    """What is to be written of a row that was derived before the lock was held; None if the run was removed since.

    A row that says ended will be believed, and the run may have been edited or resumed meanwhile.
    """
    rundir = RunDir(runs_dir() / row.id)
    if rundir.path.exists():
        return row if row.live else row_of(rundir)
    return row if draft.has(row.id) else None


def _unused(path: Path) -> Path:
    """A path that nothing is at: this one, or with a number behind it."""
    taken = (path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 1000)))
    return next((free for free in taken if not free.exists()), path)


def _lost(row: Row) -> Row:
    """The row of a run whose folder went away while it was live."""
    return msgspec.structs.replace(row, status="lost", reason=NO_FOLDER)
