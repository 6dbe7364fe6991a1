"""Reads and writes the user's settings of the dashboard: `settings.toml` in the home folder."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from engine.config.typed import convert
from engine.protocol.files import WriteError, write_atomic
from fastadv_tui.errors import UserError
from fastadv_tui.paths import ensure_home, home

COLUMNS = ("status", "name", "method", "eps", "clean", "robust", "attack", "epochs", "duration", "submitted", "tags")
METRICS = ("loss", "signal", "lr")


class View(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A saved view of the history. filter: as typed. sort: a column, with + for the smallest first.

    group: empty, `seeds` or a column. columns: empty for those that the user chose last.
    """

    filter: str = ""
    sort: str = "submitted"
    group: str = ""
    columns: tuple[str, ...] = ()


class Settings(Struct, forbid_unknown_fields=True, kw_only=True):
    """theme: fastadv-dark, fastadv-light, ansi or any theme of Textual. refresh: seconds between reads of the runs.
    keymap: keys by the id of a binding (`stop = "ctrl+x"`). columns: those that the history shows. views: by name.
    metrics: those that the small charts show. panes: sizes of the panes in cells, for those that were resized.
    curves: what is switched on: time on the x axis, a logarithmic axis of the loss, smoothing.
    """

    theme: str = "fastadv-dark"
    refresh: Annotated[float, Meta(ge=0.1, le=60)] = 0.5
    keymap: dict[str, str] = {}
    columns: tuple[str, ...] = COLUMNS
    views: dict[str, View] = {}
    metrics: tuple[str, ...] = METRICS
    curves: tuple[Literal["time", "log", "smooth"], ...] = ()
    panes: dict[str, Annotated[int, Meta(ge=4, le=400)]] = {}


def path() -> Path:
    return home() / "settings.toml"


def remember(key: str, value: str | Sequence[str] | Mapping[str, Any]) -> None:
    """Change one setting in the file and leave the rest of the file, comments included, as the user wrote it.

    Raises: UserError, if the file cannot be read or written.
    """
    try:
        ensure_home()
        text = path().read_bytes().decode() if path().exists() else ""  # bytes keep CRLF line ends
        write_atomic(path(), changed(text, key, _plain(value)).encode())
    except WriteError as error:
        raise UserError(str(error)) from None
    except (OSError, ValueError) as error:  # ValueError includes UnicodeDecodeError and the errors of tomlkit
        raise UserError(f"cannot write {path()} ({error}); check the file and its permissions") from None


def _plain(value: str | Sequence[str] | Mapping[str, Any]) -> str | list[str] | dict[str, Any]:
    """The value as TOML has it."""
    if isinstance(value, Mapping):
        return {name: msgspec.to_builtins(each) for name, each in value.items()}
    return value if isinstance(value, str) else list(value)


def changed(text: str, key: str, value: str | list[str] | dict[str, Any]) -> str:
    """A TOML text in which a top-level key has a new value.

    Raises: ValueError, if the text is not TOML.
    """
    import tomlkit  # imported here, since most dashboards never write a setting

    if isinstance(value, dict):
        table = tomlkit.inline_table()  # a table of its own would take in the settings below it
        table.update(value)
        value = table
    document = tomlkit.parse(text)
    if key not in document:  # a first line is in no table and separates no comment from its setting
        return tomlkit.dumps({key: value}).replace("\n", "\r\n" if "\r\n" in text else "\n") + text
    document[key] = value
    return tomlkit.dumps(document)


def load() -> Settings:
    """The user's settings, or the defaults without a file. Raises: UserError, which names the file and the error."""
    try:
        return convert(tomllib.loads(path().read_text()), Settings)
    except FileNotFoundError:
        return Settings()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise UserError(f"{path()}: {error}; correct the file or remove it") from None
