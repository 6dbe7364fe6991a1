"""Reading the end of text files that may be large."""

import io
from pathlib import Path

TAIL_BYTES = 64 * 1024


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file, as far as its last 64 KB hold them; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(size - TAIL_BYTES, 0))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []
