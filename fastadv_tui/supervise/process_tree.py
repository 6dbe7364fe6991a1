"""Making sure that nothing of a process is left, whatever group or session its children went to."""

import contextlib
import ctypes
import os
import signal
import sys

from engine.protocol.stop import die_with_parent

PR_SET_CHILD_SUBREAPER = 36


def become_reaper() -> None:
    """Orphans among our descendants become our children, so that none can get away (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """Run in a new child before its program: from its first moment on it is asked to end when its parent dies."""
    die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:  # it died before
        os._exit(1)


def kill_descendants(group: int) -> None:
    """Kill and reap a process group and every descendant of ours; returns when none is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Our direct children; theirs become ours as they die."""
    import psutil

    return [child.pid for child in psutil.Process().children()]
