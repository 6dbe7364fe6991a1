"""The process that holds the client of a tracker, as its parent sees it: each question has a time limit."""

import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO, Any

import msgspec

from engine.config.typed import decode
from fastadv_tui.errors import UserError
from fastadv_tui.trackers.messages import Answer, Begin, End, Message

BEGIN_SECONDS, SEND_SECONDS, END_SECONDS = 90.0, 60.0, 90.0  # longest waits; a package may take seconds to load


class TrackerError(UserError):
    """A tracker gives no answer or refuses. The run itself is not touched, and `fastadv mirror` goes on later."""


class NoAnswerError(TrackerError):
    """The client is gone or hangs: nobody knows what has reached the tracker."""


class TrackerProcess:
    """Starts with the first question. Use as a context manager, or call `close`, which ends the process at once."""

    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._process: subprocess.Popen[bytes] | None = None
        self._received = b""

    def ask(self, message: Message) -> Answer:
        """The answer of the tracker. Raises: TrackerError, also if no answer comes in time."""
        limit = {Begin: BEGIN_SECONDS, End: END_SECONDS}.get(type(message), SEND_SECONDS)
        process, deadline = self._started(), time.monotonic() + limit
        try:
            self._write(process, msgspec.json.encode(message) + b"\n", deadline)
            line = self._line(process, deadline)
        except BrokenPipeError:
            line = b""
        except TimeoutError:
            raise NoAnswerError(f"{self._tool} gives no answer within {limit:.0f} s; is its server up?") from None
        if not line:
            raise NoAnswerError(f"the client of {self._tool} has ended with exit code {process.wait()}")
        answer = decode(line, Answer)
        if answer.error:
            raise TrackerError(f"{self._tool}: {answer.error}")
        return answer

    def _write(self, process: subprocess.Popen[bytes], data: bytes, deadline: float) -> None:
        """Raises: TimeoutError, if a client that does not read leaves the pipe full; BrokenPipeError."""
        assert process.stdin is not None
        rest = memoryview(data)
        while rest:
            _wait(process.stdin, selectors.EVENT_WRITE, deadline)
            rest = rest[os.write(process.stdin.fileno(), rest) :]

    def _line(self, process: subprocess.Popen[bytes], deadline: float) -> bytes:
        """The next line of the process; empty if it has ended. Raises: TimeoutError."""
        assert process.stdout is not None
        while b"\n" not in self._received:
            _wait(process.stdout, selectors.EVENT_READ, deadline)
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            if not chunk:
                return b""
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            words = [sys.executable, "-P", "-m", "fastadv_tui.trackers.worker"]
            pipe, null = subprocess.PIPE, subprocess.DEVNULL
            try:  # in a session of its own: a Ctrl-C is for this process, which then closes that one
                self._process = subprocess.Popen(
                    words, bufsize=0, stdin=pipe, stdout=pipe, stderr=null, start_new_session=True
                )
            except OSError as error:
                raise TrackerError(f"cannot start the process of {self._tool} ({error})") from None
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)
        return self._process

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # W&B's client has a process of its own
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def __enter__(self) -> "TrackerProcess":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _wait(pipe: IO[bytes], event: int, deadline: float) -> None:
    """Wait until a pipe can be read or written. Raises: TimeoutError."""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, event)
        if not selector.select(max(deadline - time.monotonic(), 0.0)):
            raise TimeoutError
