"""The draft of a form that was not submitted: `draft.json` in the home folder."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from engine.config.typed import decode
from engine.protocol.files import write_atomic
from fastadv_tui.paths import home

MAX_BYTES = 1_000_000  # of a file that is read; a form has some kilobytes


class Draft:
    """The texts of a form by dotted key. `keep` and `forget` never wait; `save` writes, so call it in a thread."""

    def __init__(self) -> None:
        self._writing = threading.Lock()  # the last of two threads writes the newest texts
        self._texts: dict[str, str] | None = None

    def keep(self, texts: Mapping[str, str]) -> None:
        """Note the texts that `save` will write."""
        self._texts = {key: text for key, text in texts.items() if text}

    def forget(self) -> None:
        """Let `save` remove the file."""
        self._texts = None

    def save(self) -> None:
        """Bring the draft to the disk, or remove it. A crash leaves the old or the new one. Raises: OSError."""
        with self._writing:
            if (texts := self._texts) is None:
                path().unlink(missing_ok=True)
            else:
                write_atomic(path(), msgspec.json.encode(texts))


def load_draft() -> dict[str, str]:
    """The texts of the draft; empty if there is none that can be read."""
    with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        if path().is_file() and path().stat().st_size <= MAX_BYTES:
            return decode(path().read_bytes(), dict[str, str])
    return {}


def path() -> Path:
    return home() / "draft.json"
