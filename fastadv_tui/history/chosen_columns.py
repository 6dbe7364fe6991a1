"""Columns by the keys that users type."""

from msgspec.structs import replace

from engine.config.keys import SHORT_KEYS
from engine.config.settings import settings
from engine.config.suggest import did_you_mean
from fastadv_tui.history.columns import COLUMNS, Column
from fastadv_tui.history.query import QueryError, typed_column


def chosen_columns(typed: str) -> list[Column]:
    """The columns of a list such as `id,robust,optim.lr`. Raises: QueryError, which names the wrong word."""
    keys = [key.strip() for key in typed.split(",") if key.strip()]
    if not keys:
        raise QueryError(f"--columns {typed!r} names no column; write --columns id,name,robust")
    return [_column(key) for key in keys]


def _column(key: str) -> Column:
    """A column, with a setting under the key that was typed."""
    column = typed_column(key)
    if column is None:
        hint = did_you_mean(key, [*COLUMNS, *settings(), *SHORT_KEYS]) or f"use {', '.join(COLUMNS)} or any setting"
        raise QueryError(f"unknown column {key!r}; {hint}")
    return column if key in COLUMNS else replace(column, key=key, title=key)
