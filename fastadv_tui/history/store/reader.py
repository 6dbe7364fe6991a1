"""Reading `history.json`."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.config.typed import convert, decoder
from fastadv_tui.history.row import Row
from fastadv_tui.history.store.migrations import SCHEMA, Tables, migrate, version

RUNS, META = "runs", "meta"
DAMAGED = (msgspec.DecodeError, UnicodeDecodeError)  # ValidationError is a DecodeError


class _CurrentFile(Struct):
    """A file of the present version. Decoding it in one pass takes a third of the time of decoding by way of Tables."""

    meta: dict[str, dict[str, Any]]
    runs: dict[str, Row]


_CURRENT_FILE = decoder(_CurrentFile)
_ROWS = list[Row]


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of any known version; no rows if the file is missing.

    Raises: OSError, NewerSchemaError, or one of DAMAGED (the errors of reading a damaged file).
    """
    try:
        file = _CURRENT_FILE.decode(path.read_bytes())
        if version({META: file.meta}) == SCHEMA:
            check_keys(file.runs)
            return list(file.runs.values())
    except FileNotFoundError:
        return []
    except DAMAGED:
        pass  # an older version or a damaged file: `read_tables` finds out which
    return convert(list(read_tables(path).get(RUNS, {}).values()), _ROWS)


def read_tables(path: Path) -> Tables:
    """The file's tables in the present version; no tables if the file is missing.

    Raises: OSError, NewerSchemaError, or one of DAMAGED (the errors of reading a damaged file).
    """
    from fastadv_tui.history.store.storage import (
        AtomicStorage,  # imported late: TinyDB is slow to load, and most readers do not need it
    )

    tables = migrate(AtomicStorage(path).read() or {})
    check_keys(tables.get(RUNS, {}))
    return tables


def check_keys(runs: dict[str, Any]) -> None:
    """Check that every key is a number, as TinyDB requires. Raises: msgspec.ValidationError."""
    for key in runs:
        if not key.isdecimal():
            raise msgspec.ValidationError(f"the row key {key!r} is not a number")
