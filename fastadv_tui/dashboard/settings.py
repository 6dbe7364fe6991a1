"""The user's settings of the dashboard: `settings.toml` in the home."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from engine.protocol.files import write_atomic
from fastadv_tui.errors import UserError
from fastadv_tui.paths import ensure_home, home

COLUMNS = ("status", "name", "method", "eps", "clean", "robust", "attack", "epochs", "duration", "submitted", "tags")


class Settings(Struct, forbid_unknown_fields=True, kw_only=True):
    """theme: fastadv-dark, fastadv-light, ansi or any of Textual's; refresh: seconds between looks at the runs;
    keymap: keys by the id of a binding (`stop = "ctrl+x"`); columns: of the history.
    """

    theme: str = "fastadv-dark"
    refresh: Annotated[float, Meta(ge=0.1, le=60)] = 0.5
    keymap: dict[str, str] = {}
    columns: tuple[str, ...] = COLUMNS


def path() -> Path:
    return home() / "settings.toml"


def remember(key: str, value: str | Sequence[str]) -> None:
    """Change one setting in the file and leave the rest of the file, comments included, as the user wrote it.

    Raises: UserError, if the file cannot be read or written.
    """
    try:
        ensure_home()
        text = path().read_bytes().decode() if path().exists() else ""  # bytes: a file may have CRLF at its line ends
        write_atomic(path(), changed(text, key, value if isinstance(value, str) else list(value)).encode())
    except (OSError, ValueError) as error:  # also UnicodeDecodeError and what tomlkit raises
        raise UserError(f"cannot write {path()} ({error})") from None


def changed(text: str, key: str, value: str | list[str]) -> str:
    """A TOML text with another value of a key that is in no table.

    Raises: ValueError, if the text is no TOML.
    """
    import tomlkit  # only here: most dashboards never write a setting

    document = tomlkit.parse(text)
    if key not in document:  # at the top, where it is in no table, and parts no comment from what it is about
        return tomlkit.dumps({key: value}).replace("\n", "\r\n" if "\r\n" in text else "\n") + text
    document[key] = value
    return tomlkit.dumps(document)


def load() -> Settings:
    """The user's settings. Raises: UserError, naming the file and what is wrong in it."""
    try:
        return msgspec.convert(tomllib.loads(path().read_text()), Settings)
    except FileNotFoundError:
        return Settings()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise UserError(f"{path()}: {error}; put it right or remove it") from None
