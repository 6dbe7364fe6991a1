"""A TinyDB storage that is whole whatever dies: replaced atomically, decoded by msgspec."""

from pathlib import Path

import msgspec
from tinydb.storages import Storage

from engine.protocol.files import write_atomic
from fastadv_tui.history.store.migrations import Tables

_DECODER = msgspec.json.Decoder(Tables)
_ENCODER = msgspec.json.Encoder()


class AtomicStorage(Storage):
    """A JSON file. Readers need no lock: they see the old file or the new one. Writers must hold one around
    their whole read-modify-write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Tables | None:
        """Raises: OSError; msgspec.DecodeError, if the file is not what a storage wrote."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        return _DECODER.decode(data)

    def write(self, data: Tables) -> None:
        """Raises: OSError; the file is then what it was."""
        write_atomic(self._path, _ENCODER.encode(data))
