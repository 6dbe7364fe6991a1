"""A TinyDB storage that replaces its file atomically, so that a killed writer leaves no broken file."""

from pathlib import Path

import msgspec
from tinydb.storages import Storage

from engine.config.typed import decoder
from engine.protocol.files import write_atomic
from fastadv_tui.history.store.migrations import Tables

_DECODER = decoder(Tables)
_ENCODER = msgspec.json.Encoder()


class AtomicStorage(Storage):
    """A JSON file. Readers need no lock: they see the old file or the new file. A writer must hold a lock from its
    read to its write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Tables | None:
        """The tables; None if the file is missing.

        Raises: OSError; msgspec.DecodeError or UnicodeDecodeError, if the file is damaged.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        return _DECODER.decode(data)

    def write(self, data: Tables) -> None:
        """Replace the file. Raises: OSError; the old file is then unchanged."""
        write_atomic(self._path, _ENCODER.encode(data))
