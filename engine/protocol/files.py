"""Atomic file writes: after a crash, a file is either whole or absent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

FOR_US, FOR_ALL = 0o600, 0o666  # permission bits of a new file: for the owner only, for everybody


def write_atomic(path: Path, data: bytes, mode: int = FOR_US) -> None:
    """Replace a file. Readers see the old or the new content, never a part, even after a power failure."""
    with replacing(path, mode) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, mode: int = FOR_US) -> Iterator[BinaryIO]:
    """Open a temporary file for writing. The file replaces `path` at the end of the block.

    If the block raises, the temporary file is deleted and `path` stays unchanged.
    mode: permission bits of the file, reduced by the user's umask.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # BaseException, so that an interrupt leaves no temporary file either
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Make a rename durable. Some file systems cannot sync a folder; their errors are ignored."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
