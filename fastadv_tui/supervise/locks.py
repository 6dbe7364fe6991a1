"""Advisory locks on files: they die with the last process that holds the open file, and need no cleaning up."""

import fcntl
import os
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """An open file descriptor that holds the lock exclusively, or None if somebody else does.

    The lock lasts until every copy of the descriptor is closed, those that children inherited included.
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
    """Remove a file that nobody holds locked; False if somebody does. Under the lock, so no new holder is robbed."""
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
