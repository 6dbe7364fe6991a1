"""What `history.json` holds: as rows for readers, as TinyDB's tables for writers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct
from tinydb import TinyDB
from tinydb.storages import MemoryStorage
from tinydb.table import Document

from fastadv_tui.migrations import SCHEMA, Tables, migrate, version
from fastadv_tui.rows import Row
from fastadv_tui.storage import AtomicStorage

RUNS, META = "runs", "meta"
DAMAGED = (msgspec.DecodeError, UnicodeDecodeError)  # also msgspec.ValidationError


class _Current(Struct):
    """A file of the present version: decoded in one pass, a third of the time that the way over tables takes."""

    meta: dict[str, dict[str, Any]]
    runs: dict[str, Row]


class _Unread(Struct):
    """The same for a writer, to whom the other rows are bytes to be passed on."""

    meta: dict[str, dict[str, Any]]
    runs: dict[str, Raw]


_CURRENT = msgspec.json.Decoder(_Current)
_UNREAD = msgspec.json.Decoder(_Unread)
_ROWS = list[Row]


class Draft:
    """The file's tables as one writer changes them, by way of TinyDB. Whoever holds one holds the file's lock.

    Raises, when built: OSError, NewerSchemaError, those in DAMAGED.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = MemoryStorage()  # type: ignore[no-untyped-call]
        self._buffer.memory = _unread_tables(path)
        self._runs = TinyDB(storage=lambda: self._buffer).table(RUNS, cache_size=0)

    @property
    def _tables(self) -> Tables:
        return self._buffer.memory or {}

    def has(self, run_id: str) -> bool:
        return str(_number(run_id)) in self._tables.get(RUNS, {})

    def put(self, rows: Iterable[Row]) -> None:
        """Upsert many rows at once; TinyDB's own upsert goes through the whole table for each."""
        documents = {row.id: Document(msgspec.to_builtins(row), doc_id=_number(row.id)) for row in rows}
        self.remove(documents)
        self._runs.insert_multiple(documents.values())

    def remove(self, run_ids: Iterable[str]) -> None:
        """Take rows out; those that are not there are passed over."""
        self._runs.remove(doc_ids=[_number(run_id) for run_id in run_ids if self.has(run_id)])

    def save(self) -> None:
        """Raises: OSError; the file is then what it was."""
        AtomicStorage(self._path).write({**self._tables, META: {"1": {"schema": SCHEMA}}})


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of any version that is known; none where it is missing.

    Raises: OSError, NewerSchemaError, those in DAMAGED.
    """
    try:
        file = _CURRENT.decode(path.read_bytes())
        if version({META: file.meta}) == SCHEMA:
            _check_keys(file.runs)
            return list(file.runs.values())
    except (FileNotFoundError, *DAMAGED):
        pass  # another version, or no good: the long way finds out which
    return msgspec.convert(list(_tables(path).get(RUNS, {}).values()), _ROWS)


def _unread_tables(path: Path) -> Tables:
    """As `_tables`, with the rows as bytes where they can stay as they are: five times quicker."""
    try:
        file = _UNREAD.decode(path.read_bytes())
        if version({META: file.meta}) == SCHEMA:
            _check_keys(file.runs)
            return {RUNS: file.runs}
    except (FileNotFoundError, *DAMAGED):
        pass
    return _tables(path)


def _tables(path: Path) -> Tables:
    """The file's tables in the present version; none where it is missing."""
    tables = migrate(AtomicStorage(path).read() or {})
    _check_keys(tables.get(RUNS, {}))
    return tables


def _check_keys(runs: dict[str, Any]) -> None:
    """TinyDB turns every key into a number."""
    for key in runs:
        if not key.isdecimal():
            raise msgspec.ValidationError(f"{key!r} is not the number of a row")


def _number(run_id: str) -> int:
    """TinyDB's document id of a run: one for each name of a folder."""
    return int.from_bytes(run_id.encode(), "big")
