"""The user's settings of the dashboard: `settings.toml` in the home."""

import re
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
    """Change one setting in the file and leave the rest of it as the user wrote it.

    Raises: UserError, if the file cannot be read or written.
    """
    line = f"{key} = {msgspec.json.encode(value).decode()}\n"  # TOML writes texts and lists of them as JSON does
    try:
        ensure_home()
        text = path().read_text() if path().exists() else ""
        old = re.compile(rf"^{key}\s*=\s*(\[[^\]]*\]|.*)\n?", re.MULTILINE)
        text = old.sub(lambda _: line, text, count=1) if old.search(text) else line + text
        write_atomic(path(), text.encode())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot write {path()} ({error})") from None


def load() -> Settings:
    """The user's settings. Raises: UserError, naming the file and what is wrong in it."""
    try:
        return msgspec.convert(tomllib.loads(path().read_text()), Settings)
    except FileNotFoundError:
        return Settings()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise UserError(f"{path()}: {error}; put it right or remove it") from None
