"""One change of `history.json`, by way of TinyDB. Only writers import this module: TinyDB is slow to load."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct
from tinydb import TinyDB
from tinydb.storages import MemoryStorage
from tinydb.table import Document

from engine.config.typed import convert, decode, decoder
from fastadv_tui.history.row import Row
from fastadv_tui.history.store.file_version import file_version
from fastadv_tui.history.store.migrations import SCHEMA, Tables, version
from fastadv_tui.history.store.reader import DAMAGED, META, RUNS, check_keys, read_tables
from fastadv_tui.history.store.storage import AtomicStorage


class _UndecodedFile(Struct):
    """A file of the present version with undecoded rows. A writer copies the rows that do not change as bytes."""

    meta: dict[str, dict[str, Any]]
    runs: dict[str, Raw]


_UNDECODED_FILE = decoder(_UndecodedFile)


class Transaction:
    """The file's tables in memory, for one writer. The writer must hold the file's lock from creation to `save`.

    Raises, when created: OSError, NewerSchemaError, or one of DAMAGED (the errors of reading a damaged file).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.read = self.written = file_version(path)  # the versions of the file that this one has read and written
        self._buffer = MemoryStorage()  # type: ignore[no-untyped-call]
        self._buffer.memory = _undecoded_tables(path)
        self._runs = TinyDB(storage=lambda: self._buffer).table(RUNS, cache_size=0)

    @property
    def _tables(self) -> Tables:
        return self._buffer.memory or {}

    def has(self, run_id: str) -> bool:
        return str(_document_id(run_id)) in self._tables.get(RUNS, {})

    def get(self, run_id: str) -> Row | None:
        """The row of a run; None if it has none."""
        found = self._tables.get(RUNS, {}).get(str(_document_id(run_id)))
        if found is None:
            return None
        return decode(found, Row) if isinstance(found, Raw) else convert(found, Row)

    def put(self, rows: Iterable[Row]) -> None:
        """Insert or replace many rows at once. TinyDB's own upsert reads the whole table for each row."""
        documents = {row.id: Document(msgspec.to_builtins(row), doc_id=_document_id(row.id)) for row in rows}
        self.remove(documents)
        self._runs.insert_multiple(documents.values())

    def remove(self, run_ids: Iterable[str]) -> None:
        """Remove rows; ids without a row are ignored."""
        self._runs.remove(doc_ids=[_document_id(run_id) for run_id in run_ids if self.has(run_id)])

    def save(self) -> None:
        """Write the tables to the file. Raises: OSError; the old file is then unchanged."""
        AtomicStorage(self._path).write({**self._tables, META: {"1": {"schema": SCHEMA}}})
        self.written = file_version(self._path)


def _undecoded_tables(path: Path) -> Tables:
    """As `read_tables`, but five times faster for a file of the present version: its rows stay undecoded bytes."""
    try:
        file = _UNDECODED_FILE.decode(path.read_bytes())
        if version({META: file.meta}) == SCHEMA:
            check_keys(file.runs)
            return {RUNS: file.runs}
    except (FileNotFoundError, *DAMAGED):
        pass
    return read_tables(path)


def _document_id(run_id: str) -> int:
    """TinyDB's document id of a run: a different number for each run id."""
    return int.from_bytes(run_id.encode(), "big")
