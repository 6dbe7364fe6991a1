"""One change of `history.json`, by way of TinyDB. Loaded only by those who write: TinyDB takes a while."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct
from tinydb import TinyDB
from tinydb.storages import MemoryStorage
from tinydb.table import Document

from fastadv_tui.history.row import Row
from fastadv_tui.history.store.migrations import SCHEMA, Tables, version
from fastadv_tui.history.store.reader import DAMAGED, META, RUNS, check_keys, read_tables
from fastadv_tui.history.store.storage import AtomicStorage


class _Unread(Struct):
    """A file of the present version, to a writer: rows that it does not change are bytes to be passed on."""

    meta: dict[str, dict[str, Any]]
    runs: dict[str, Raw]


_UNREAD = msgspec.json.Decoder(_Unread)


class Transaction:
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


def _unread_tables(path: Path) -> Tables:
    """As `read_tables`, with the rows as bytes where they can stay as they are: five times quicker."""
    try:
        file = _UNREAD.decode(path.read_bytes())
        if version({META: file.meta}) == SCHEMA:
            check_keys(file.runs)
            return {RUNS: file.runs}
    except (FileNotFoundError, *DAMAGED):
        pass
    return read_tables(path)


def _number(run_id: str) -> int:
    """TinyDB's document id of a run: one for each name of a folder."""
    return int.from_bytes(run_id.encode(), "big")
