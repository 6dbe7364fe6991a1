"""The user's notes on a run: name, tags, note, pin."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct, field

from engine.config.typed import decode
from engine.protocol.files import write_atomic
from engine.protocol.rundir import RunDir


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


def changed_tags(tags: Iterable[str], words: Iterable[str]) -> list[str]:
    """The tags after a change that a user typed: `paper` adds a tag, `-paper` takes the tag off."""
    typed = list(words)
    gone = {word[1:] for word in typed if word.startswith("-")}
    added = [word for word in typed if not word.startswith("-")]
    return list(dict.fromkeys(tag for tag in (*tags, *added) if tag not in gone))
