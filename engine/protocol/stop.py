"""How a run is asked to stop: a signal, the `stop` file, or the death of its supervisor."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PR_SET_PDEATHSIG = 1
LOOK_EVERY = 0.2  # seconds between looks at the file system


def die_with_parent(number: int) -> None:
    """Have the kernel send this process the signal `number` when its parent dies (Linux only).

    A parent that is dead already sends nothing: compare `os.getppid()` afterwards.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def ignore_stops() -> None:
    """To be called when the work is over: from here on a stop changes nothing.

    Python takes its signal handlers away before it ends: a request that comes twice, such as a Ctrl-C that the face
    passes on, would kill the process then, and its exit code would be lost.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class Stopped(Exception):  # noqa: N818 - it is no error
    """The run was asked to stop."""


class StopRequest:
    """Watches for a request to stop; SIGTERM and SIGINT count from the moment it is made.

    asked: whether somebody asks for a stop by other means, such as a file.
    """

    def __init__(self, asked: Callable[[], bool] = lambda: False) -> None:
        self._by_other_means = asked
        self._parent = os.getppid()
        self._asked = False
        self._looked = 0.0
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost terminal is none of our business
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # whoever started us may have held them back until now
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
