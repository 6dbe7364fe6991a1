"""Waiting for a condition, never for a time; every timeout of the tests is scaled here.

Tests give timeouts in seconds of a quiet machine. A busy machine needs longer for the same work, so each timeout is
multiplied by one factor, the patience. The suite measures the patience once, when it starts.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
PATIENCE = "FASTADV_TEST_PATIENCE"  # environment variable: the factor; xdist workers inherit what the session measured
LONGEST_PATIENCE = 8.0
START = [sys.executable, "-c", "import asyncio, email.message, json"]
NOMINAL_START = 0.07  # seconds that START takes on a quiet machine
STARTS = 3  # the slowest one counts: another job may pause during the others


def seconds(nominal: float) -> float:
    """A timeout on this machine, in seconds; `nominal` is the timeout on a quiet one."""
    return nominal * float(os.environ.get(PATIENCE, 1.0))


def measure_patience() -> float:
    """How many times longer than on a quiet machine a process takes to start here; in [1, LONGEST_PATIENCE]."""
    slowest = max(_seconds_of_a_start() for _ in range(STARTS))
    return min(max(slowest / NOMINAL_START, 1.0), LONGEST_PATIENCE)


def _seconds_of_a_start() -> float:
    begun = time.monotonic()
    subprocess.run(START, check=True)
    return time.monotonic() - begun


class Deadline:
    """The end of a wait that begins now; `timeout` is in seconds of a quiet machine."""

    def __init__(self, timeout: float) -> None:
        self.seconds = seconds(timeout)
        self._end = time.monotonic() + self.seconds

    @property
    def passed(self) -> bool:
        return time.monotonic() > self._end


def wait_until(condition: Callable[[], Found | None], timeout: float = 20.0) -> Found:
    """The first true value of a condition; AssertionError if none comes in `timeout` seconds of a quiet machine."""
    deadline = Deadline(timeout)
    while not (found := condition()):
        assert not deadline.passed, f"not within {deadline.seconds:.0f} s: {condition}"
        time.sleep(0.02)
    return found
