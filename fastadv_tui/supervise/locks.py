"""Advisory locks on files. A lock ends with the last process that holds the open file, so no lock can go stale."""

import fcntl
import os
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """An open file descriptor that holds the exclusive lock; None if another process holds the lock.

    The lock lasts until every copy of the descriptor is closed, also the copies that children inherited.
    Raises: OSError.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def remove_if_free(path: Path) -> bool:
    """Remove a file unless a process holds its lock; False if the file stays.

    The file is removed under its lock, so that no new holder loses its file.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
