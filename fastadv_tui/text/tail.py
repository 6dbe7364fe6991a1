"""Reads the ends of text files that may be large."""

import contextlib
import io
from pathlib import Path

TAIL_BYTES = 64 * 1024


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file, from its last 64 KB only; an empty list if the file cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(size - TAIL_BYTES, 0))
            return file.read().decode(errors="replace").splitlines()[-lines:] if lines else []
    except OSError:
        return []


class LineFollower:
    """Reads the complete lines that are appended to a file after this object was made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset, self._rest = 0, b""
        with contextlib.suppress(OSError):  # the file does not exist yet, or its file system is unreachable
            self._offset = path.stat().st_size

    def poll(self) -> list[str]:
        """The new lines, from at most the last 64 KB. A file that became shorter is read from its start."""
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, io.SEEK_END)
                if size < self._offset:
                    self._offset, self._rest = 0, b""
                if size - self._offset > TAIL_BYTES:
                    self._offset, self._rest = size - TAIL_BYTES, b""
                file.seek(self._offset)
                chunk = file.read(TAIL_BYTES)
        except OSError:
            return []
        self._offset += len(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [line.decode(errors="replace") for line in lines]
