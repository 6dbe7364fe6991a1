"""Reading the end of text files that may be large."""

import contextlib
import io
from pathlib import Path

TAIL_BYTES = 64 * 1024


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file, as far as its last 64 KB hold them; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(size - TAIL_BYTES, 0))
            return file.read().decode(errors="replace").splitlines()[-lines:] if lines else []
    except OSError:
        return []


class LineFollower:
    """The whole lines that are appended to a file from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset, self._rest = 0, b""
        with contextlib.suppress(OSError):  # not there yet, or a file system that is away
            self._offset = path.stat().st_size

    def poll(self) -> list[str]:
        """New lines, but of a flood only the last 64 KB; a file that was cut is read from its start."""
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
