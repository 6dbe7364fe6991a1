"""Tells plain files from pipes, sockets and devices: to open a pipe would wait for its writer for ever."""

import stat
from pathlib import Path

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def not_plain(path: Path) -> str:
    """What `path` is, in words, if it is no plain file, else "".

    Links are followed. Raises: OSError, if the path does not exist, or its links form a circle.
    """
    mode = path.stat().st_mode
    return next((words for is_kind, words in KINDS if is_kind(mode)), "")
