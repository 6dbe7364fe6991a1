"""Versions of the history file, and the way from each to the next."""

from collections.abc import Callable
from typing import Any

Tables = dict[str, dict[str, Any]]

SCHEMA = 1


class NewerSchemaError(Exception):
    """The file was written by a later version of fastadv."""


def _name_the_version(tables: Tables) -> Tables:
    """Version 0 had no version: the rows are as they are now."""
    return {"runs": tables.get("runs", {}), "meta": {"1": {"schema": 1}}}


MIGRATIONS: dict[int, Callable[[Tables], Tables]] = {0: _name_the_version}


def version(tables: Tables) -> int:
    """The schema version of a file's tables; 0 for one that does not say."""
    found = tables.get("meta", {}).get("1", {})
    number = found.get("schema", 0) if isinstance(found, dict) else 0
    return number if isinstance(number, int) else 0


def migrate(tables: Tables) -> Tables:
    """The tables in the present version. Raises: NewerSchemaError."""
    now = version(tables)
    if now > SCHEMA:
        raise NewerSchemaError(f"version {now}, and this fastadv knows {SCHEMA}")
    for step in range(now, SCHEMA):
        tables = MIGRATIONS[step](tables)
    return tables
