"""Atomic file writes: after a crash, a file is either whole or absent."""

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

FOR_US, FOR_ALL = 0o600, 0o666  # permission bits of a new file: for the owner only, for everybody


class WriteError(OSError):
    """A disk does not take a file: it is full, a quota is reached, or writing fails.

    The text is one line with the file, the reason and the room left. The errno is that of the system's error.
    """

    def __init__(self, path: Path, cause: OSError) -> None:
        super().__init__(cause.errno, cause.strerror, str(path))
        self._free = _room(path.parent)

    def __str__(self) -> str:
        return f"cannot write {self.filename}: {self.strerror} ({self._free} free); make room, and try again"


class _RecordingWriter(io.BufferedWriter):
    """Keeps the first error of the disk. torch.save hides such errors behind errors of its own."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.error = self.error or error
            raise

    def save(self) -> None:
        """Bring the content to the disk. Network file systems tell a full disk or a quota only here."""
        try:
            self.flush()
            os.fsync(self.fileno())
        except OSError as error:
            self.error = self.error or error
            raise


def write_atomic(path: Path, data: bytes, mode: int = FOR_US) -> None:
    """Replace a file. Readers see the old or the new content, never a part, even after a power failure."""
    with replacing(path, mode) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, mode: int = FOR_US) -> Iterator[BinaryIO]:
    """Open a temporary file for writing. The file replaces `path` at the end of the block.

    If the block raises, the temporary file is deleted and `path` stays unchanged.
    mode: permission bits of the file, reduced by the user's umask.

    Raises: WriteError, if the disk does not take the content, whatever the block made of it; OSError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    file = _RecordingWriter(io.FileIO(temporary, "xb", opener=lambda path, flags: os.open(path, flags, mode)))
    try:
        with file:
            yield file
            file.save()
        temporary.replace(path)
    except BaseException as error:  # BaseException, so that an interrupt leaves no temporary file either
        temporary.unlink(missing_ok=True)
        if file.error is not None and isinstance(error, Exception):
            raise WriteError(path, file.error) from None
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


def _room(folder: Path) -> str:
    """The free space of a disk for this user, in words."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return "an unknown number of bytes"
    return f"{free / 1e6:,.1f} MB" if free >= 1e6 else f"{free // 1000:,} kB"
