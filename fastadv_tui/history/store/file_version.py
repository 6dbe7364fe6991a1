"""Tells whether a file was written since."""

from pathlib import Path

FileVersion = tuple[int, int, int]


def file_version(path: Path) -> FileVersion | None:
    """A value that is another one after each write of a file or a folder; None if the path cannot be looked at.

    Take the version before you read the file. A version that is taken afterwards may be that of a write between the
    two, and the reader would never see what was written. The clock of a file system stands still for some
    milliseconds, so the inode and the size count, too: a file that is replaced has another inode.
    """
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_ino, facts.st_size
