"""What a user wrote on a run: name, tags, note."""

import msgspec
from msgspec import Struct, field

from engine.protocol.files import write_atomic
from engine.protocol.rundir import RunDir


class Notes(Struct, omit_defaults=True):
    """`notes.json`: what the user wrote on a run; a name here beats the one it was submitted with."""

    name: str = ""
    tags: list[str] = field(default_factory=list)
    note: str = ""
    pinned: bool = False


def read_notes(rundir: RunDir) -> Notes:
    """The user's notes; empty ones if there are none that can be read."""
    try:
        return notes_to_change(rundir)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Notes()


def notes_to_change(rundir: RunDir) -> Notes:
    """The user's notes, empty ones only if there are none: what cannot be read must not be written over.

    Raises: OSError, msgspec.DecodeError, UnicodeDecodeError.
    """
    try:
        return msgspec.json.decode(rundir.notes.read_bytes(), type=Notes)
    except FileNotFoundError:
        return Notes()


def write_notes(rundir: RunDir, notes: Notes) -> None:
    """Raises: OSError."""
    write_atomic(rundir.notes, msgspec.json.encode(notes))
