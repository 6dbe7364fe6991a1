"""The versions of the history file, and the migration from each version to the next."""

from collections.abc import Callable
from typing import Any

Tables = dict[str, dict[str, Any]]

SCHEMA = 1  # the present version of the history file


class NewerSchemaError(Exception):
    """The file was written by a later version of fastadv."""


def _add_version(tables: Tables) -> Tables:
    """From version 0 to 1: add the version number, which version 0 did not have. The rows stay as they are."""
    return {"runs": tables.get("runs", {}), "meta": {"1": {"schema": 1}}}


MIGRATIONS: dict[int, Callable[[Tables], Tables]] = {0: _add_version}


def version(tables: Tables) -> int:
    """The schema version of a file's tables; 0 if the tables hold no version number."""
    found = tables.get("meta", {}).get("1", {})
    number = found.get("schema", 0) if isinstance(found, dict) else 0
    return number if isinstance(number, int) else 0


def migrate(tables: Tables) -> Tables:
    """The tables in the present version. Raises: NewerSchemaError."""
    now = version(tables)
    if now > SCHEMA:
        raise NewerSchemaError(f"its format is {now}, this fastadv reads formats up to {SCHEMA}: upgrade fastadv")
    for step in range(now, SCHEMA):
        tables = MIGRATIONS[step](tables)
    return tables
