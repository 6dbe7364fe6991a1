"""Killing a process with all its descendants, in whatever process group or session they are."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Collection

from engine.protocol.stop import die_with_parent

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make orphans among our descendants our children, so that we can kill all of them (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM to this process when its parent dies. Exits if the parent is dead already.

    To be called in a new child process before its program starts.
    """
    die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:  # the parent died before the call above
        os._exit(1)


def kill_descendants(group: int, spare: Collection[int] = ()) -> None:
    """Kill and reap a process group and all our descendants. Returns when no process is left.

    spare: our children that may live on, with their descendants as long as they live themselves.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    while children := [pid for pid in _children() if pid not in spare]:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    """The pids of our direct children. When a child dies, its children become our direct children."""
    import psutil

    return [child.pid for child in psutil.Process().children()]
