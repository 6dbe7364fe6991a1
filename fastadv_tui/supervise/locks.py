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
