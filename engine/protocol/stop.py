"""Requests to stop a run: by a signal, by the file `stop`, or by the death of the supervisor."""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PR_SET_PDEATHSIG = 1
LOOK_EVERY = 0.2  # seconds between two checks of the file system


def die_with_parent(number: int) -> None:
    """Let the kernel send the signal `number` to this process when its parent dies (Linux only).

    If the parent is dead already, no signal comes. The caller must compare `os.getppid()` afterwards.
    """
    if sys.platform == "linux":
        import ctypes  # only processes that die with their parent need it

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def ignore_stops() -> None:
    """Ignore stop signals from here on. Call this when the work is over.

    Python removes its signal handlers before the process ends. A second signal at that moment, such as a Ctrl-C that
    `fastadv` also passes on, would kill the process, and the exit code would be lost.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Stopped(Exception):  # noqa: N818 - not an error
    """The run was asked to stop."""


class StopRequest:
    """Watch for a request to stop. SIGTERM and SIGINT count from the construction of the object.

    asked: returns whether a stop was requested by other means, such as a file.
    """

    def __init__(self, asked: Callable[[], bool] = lambda: False) -> None:
        self._by_other_means = asked
        self._parent = os.getppid()
        self._asked = False
        self._looked = 0.0
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost terminal must not end the run
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # the parent may have blocked the signals until now
        die_with_parent(signal.SIGTERM)

    def requested(self) -> bool:
        """Whether the run was asked to stop."""
        now = time.monotonic()
        if not self._asked and now - self._looked > LOOK_EVERY:
            self._looked = now
            self._asked = self._by_other_means() or os.getppid() != self._parent
        return self._asked

    def check(self) -> None:
        """Raises: Stopped, if the run was asked to stop."""
        if self.requested():
            raise Stopped

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
