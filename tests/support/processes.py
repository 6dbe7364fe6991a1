"""The processes that tests start, found by a token that they inherit.

The token is an environment variable. It names the session, the worker of pytest-xdist and the test, with dots between
them, so that every test has its own, and the token of a session is the beginning of all tokens of its tests. A process
keeps the token when it leaves the terminal, its parent or its process group.
"""

import contextlib
import gc
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from tests.support.waiting import wait_until

TOKEN = "FASTADV_TEST_TOKEN"
ROOT = Path(__file__).parents[2]
GRACE = 3.0  # seconds of a quiet machine; a run that has just ended needs a moment to exit
HELPERS = ("multiprocessing.resource_tracker",)  # Python starts these once, and they end with the Python that did


def with_token(token: str, pids: Iterable[int] | None = None) -> list[psutil.Process]:
    """The living processes with this token or with one that begins with it; looks at `pids` or at all."""
    return [process for process in _processes(pids) if f"{_token(process)}.".startswith(f"{token}.")]


def kill_all(find: Callable[[], list[psutil.Process]]) -> None:
    """SIGKILL what `find` finds, until it finds nothing: some of them may start others meanwhile."""

    def nothing_left() -> bool:
        found = find()
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return not found

    wait_until(nothing_left)


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return f"process {process.pid}"


class OfOneTest:
    """The processes that one test starts, from now on."""

    _count = 0

    def __init__(self) -> None:
        OfOneTest._count += 1
        self._outer = os.environ[TOKEN]
        self.token = os.environ[TOKEN] = f"{self._outer}.{OfOneTest._count}"
        self._before = set(psutil.pids())  # only newer ones need to be looked at, which makes a look cheap

    def end(self, patiently: bool) -> list[str]:
        """Kill what is left; returns its command lines. `patiently` gives it GRACE seconds to end of itself."""
        os.environ[TOKEN] = self._outer
        if not self.left():
            return []
        if patiently:
            gc.collect()  # the workers of a data loader end with the object, which may be in a cycle of references
            with contextlib.suppress(AssertionError):
                wait_until(lambda: not self.left(), GRACE)
        left = [command_line(process) for process in self.left()]
        kill_all(self.left)
        return left

    def left(self) -> list[psutil.Process]:
        """What still runs: a fork of this Python has no token of its own, but is a descendant."""
        new = [pid for pid in psutil.pids() if pid not in self._before]
        forks = [process for process in _processes(new) if _is_ours(process)]
        return list({*with_token(self.token, new), *forks})


def _processes(pids: Iterable[int] | None) -> Iterable[psutil.Process]:
    for pid in psutil.pids() if pids is None else pids:
        with contextlib.suppress(psutil.Error):
            yield psutil.Process(pid)


def _token(process: psutil.Process) -> str:
    """The token that a process was started with; a zombie has none."""
    try:
        return process.environ().get(TOKEN, "")
    except (psutil.Error, OSError):
        return ""


def _is_ours(process: psutil.Process) -> bool:
    try:
        ours = any(parent.pid == os.getpid() for parent in process.parents())
        return ours and process.status() != psutil.STATUS_ZOMBIE and not _is_helper(process)
    except psutil.Error:
        return False


def _is_helper(process: psutil.Process) -> bool:
    return any(helper in command_line(process) for helper in HELPERS)
