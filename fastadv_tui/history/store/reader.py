"""What `history.json` holds, for readers."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from fastadv_tui.history.row import Row
from fastadv_tui.history.store.migrations import SCHEMA, Tables, migrate, version

RUNS, META = "runs", "meta"
DAMAGED = (msgspec.DecodeError, UnicodeDecodeError)  # also msgspec.ValidationError


class _Current(Struct):
    """A file of the present version: decoded in one pass, a third of the time that the way over tables takes."""

    meta: dict[str, dict[str, Any]]
    runs: dict[str, Row]


_CURRENT = msgspec.json.Decoder(_Current)
_ROWS = list[Row]


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of any version that is known; none where it is missing.

    Raises: OSError, NewerSchemaError, those in DAMAGED.
    """
    try:
        file = _CURRENT.decode(path.read_bytes())
        if version({META: file.meta}) == SCHEMA:
            check_keys(file.runs)
            return list(file.runs.values())
    except FileNotFoundError:
        return []
    except DAMAGED:
        pass  # another version, or no good: the long way finds out which
    return msgspec.convert(list(read_tables(path).get(RUNS, {}).values()), _ROWS)


def read_tables(path: Path) -> Tables:
    """The file's tables in the present version; none where it is missing.

    Raises: OSError, NewerSchemaError, those in DAMAGED.
    """
    from fastadv_tui.history.store.storage import (
        AtomicStorage,  # TinyDB takes a while to load, and most readers never come here
    )

    tables = migrate(AtomicStorage(path).read() or {})
    check_keys(tables.get(RUNS, {}))
    return tables


def check_keys(runs: dict[str, Any]) -> None:
    """TinyDB turns every key into a number. Raises: msgspec.ValidationError."""
    for key in runs:
        if not key.isdecimal():
            raise msgspec.ValidationError(f"{key!r} is not the number of a row")
