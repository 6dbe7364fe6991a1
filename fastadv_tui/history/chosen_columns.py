"""Columns by the keys that users type: those of the history, and any setting."""

from engine.config.keys import SHORT_KEYS
from engine.config.presets import SIZES
from engine.config.settings import settings
from engine.config.suggest import did_you_mean
from fastadv_tui.history.columns import COLUMNS, Column
from fastadv_tui.history.query import QueryError
from fastadv_tui.history.run_settings import setting_of, setting_text


def chosen_columns(typed: str) -> list[Column]:
    """The columns of a list such as `id,robust,optim.lr`. Raises: QueryError, which names the wrong word."""
    keys = [key.strip() for key in typed.split(",") if key.strip()]
    if not keys:
        raise QueryError(f"--columns {typed!r} names no column; write --columns id,name,robust")
    return [_column(key) for key in keys]


def _column(key: str) -> Column:
    if key in COLUMNS:
        return COLUMNS[key]
    setting = SHORT_KEYS.get(key, key)
    if setting not in settings():
        hint = did_you_mean(key, [*COLUMNS, *settings(), *SHORT_KEYS]) or f"use {', '.join(COLUMNS)} or any setting"
        raise QueryError(f"unknown column {key!r}; {hint}")
    return Column(
        key=key,
        title=key,
        kind="size" if setting in SIZES else "number",
        value=lambda row: setting_of(row, setting),
        text=lambda row: setting_text(setting, setting_of(row, setting), row.norm),
    )
