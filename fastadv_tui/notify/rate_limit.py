"""Limits the notifications of a home: many runs may fail at once, and nobody wants fifty messages.

What is over the limit is counted. The next message tells the count; if none follows, one last message does.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config.typed import decode
from engine.protocol.files import write_atomic
from fastadv_tui.supervise.locks import try_lock

WINDOW = 60.0  # seconds over which notifications are counted
LOCK_SECONDS = 5.0  # longest wait for another process that looks at the counts
LOCK_POLL = 0.01  # seconds between two tries


class Sent(Struct):
    """times: unix times of the notifications in the window. left_out: number of those that were over the limit."""

    times: list[float] = []
    left_out: int = 0


class RateLimit:
    """At most so many notifications in WINDOW seconds. path: a file for the counts, which all processes share."""

    def __init__(self, path: Path, at_most: int, window: float = WINDOW) -> None:
        self._path, self._at_most, self._window = path, at_most, window

    def admit(self) -> int | None:
        """Ask to send one. Returns: how many were left out since the last one that was sent; None if this one is, too.

        If the file cannot be used, everything is admitted: better too many messages than none.
        """
        with self._locked():
            sent = self._read()
            if len(sent.times) >= self._at_most:
                self._write(Sent(sent.times, sent.left_out + 1))
                return None
            self._write(Sent([*sent.times, time.time()]))
            return sent.left_out

    def admit_summary(self) -> int:
        """Wait until a message may be sent that tells how many were left out. Returns: the number.

        0: another process waits already, or has told the number meanwhile.
        """
        with suppress(OSError):
            handle = try_lock(self._path.with_suffix(".summary"))
            if handle is None:
                return 0
            try:
                time.sleep(self._seconds_until_free())
                with self._locked():
                    sent = self._read()
                    if sent.left_out:
                        self._write(Sent([*sent.times, time.time()]))
                    return sent.left_out
            finally:
                os.close(handle)
        return 0

    def _seconds_until_free(self) -> float:
        times = self._read().times
        return max(times[0] + self._window - time.time(), 0.0) if len(times) >= self._at_most else 0.0

    def _read(self) -> Sent:
        """The counts, without the times before the window and those that a changed clock put into the future."""
        try:
            sent = decode(self._path.read_bytes(), Sent)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return Sent()
        now = time.time()
        return Sent([t for t in sent.times if now - self._window < t <= now], sent.left_out)

    def _write(self, sent: Sent) -> None:
        with suppress(OSError):
            write_atomic(self._path, msgspec.json.encode(sent))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        end, handle = time.monotonic() + LOCK_SECONDS, None
        with suppress(OSError):
            while (handle := try_lock(self._path.with_suffix(".lock"))) is None and time.monotonic() < end:
                time.sleep(LOCK_POLL)
        try:
            yield
        finally:
            if handle is not None:
                os.close(handle)
