"""The user's notes on a run: name, tags, note, pin."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct, field

from engine.config.typed import decode
from engine.protocol.files import write_atomic
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError


class TagError(UserError):
    """A typed tag is empty or not one word."""


class Notes(Struct, omit_defaults=True):
    """`notes.json`: the user's notes on a run. `name`, if not empty, replaces the name in the run's configuration."""

    name: str = ""
    tags: list[str] = field(default_factory=list)
    note: str = ""
    pinned: bool = False


def read_notes(rundir: RunDir) -> Notes:
    """The user's notes; empty notes if the file is missing or cannot be read."""
    try:
        return notes_to_change(rundir)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Notes()


def notes_to_change(rundir: RunDir) -> Notes:
    """The user's notes; empty notes if the file is missing. An unreadable file raises, so that nobody overwrites it.

    Raises: OSError, msgspec.DecodeError, UnicodeDecodeError.
    """
    try:
        return decode(rundir.notes.read_bytes(), Notes)
    except FileNotFoundError:
        return Notes()


def write_notes(rundir: RunDir, notes: Notes) -> None:
    """Raises: OSError."""
    write_atomic(rundir.notes, encoded(notes))


def encoded(notes: Notes) -> bytes:
    """The content of `notes.json`."""
    return msgspec.json.encode(notes)


def new_tags(words: Iterable[str]) -> list[str]:
    """Return typed tags unchanged. Raises: TagError, if one could not be typed in a filter or a list of tags."""
    typed = list(words)
    for word in typed:
        if not word.isprintable() or set(word) & set(" ,") or not word.strip("-"):
            raise TagError(f"{word!r} is no tag: a tag is one word without commas, as in `fastadv tag last paper v2`")
    return typed


def changed_tags(tags: Iterable[str], words: Iterable[str]) -> list[str]:
    """The tags after a change that a user typed: `paper` adds a tag, `-paper` takes the tag off.

    Raises: TagError, if an added tag is not one word. Tags of older versions need not be, and can be taken off.
    """
    typed = list(words)
    gone = {word[1:] for word in typed if word.startswith("-")}
    added = new_tags(word for word in typed if not word.startswith("-"))
    return list(dict.fromkeys(tag for tag in (*tags, *added) if tag not in gone))
