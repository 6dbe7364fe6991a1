"""Tries code of a user's own in a child process, so that an endless loop, an exit or a crash harms nobody."""

import io
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from engine.config.errors import ConfigError, UserError
from engine.config.sendable import sendable
from engine.config.user_code import UserCode
from engine.runtime.user_code import blame

IMPORT_SECONDS = 15.0  # that a file may take to be imported
TRIAL_SECONDS = 120.0  # that the trial of what it defines may take after that
MAX_ANSWER = 1 << 20  # bytes
ENDING_SECONDS, POLL = 2.0, 0.01  # for the end of a child that has closed its pipe
Work = Callable[[Callable[[], None]], bytes]  # calls its argument when the code has been imported


def isolated(work: Work, code: UserCode, path: Path) -> bytes:
    """The result of `work` in a child of a fork, which inherits what is imported here. The child uses one core.

    code, path: whose exceptions the messages are about.

    Raises: ConfigError, if the work raises, prints, exits or takes too long; the message is one line.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _child(work, code, path, writing)
    os.close(writing)
    kind = None
    try:
        kind, answer = _receive(reading, code)
    finally:
        os.close(reading)
        status = _end(child, by_itself=kind == b"")
    if kind == b"+":
        return answer
    if kind == b"-":
        raise ConfigError(answer.decode())
    raise ConfigError(f"{code.short}: ends its process ({_in_words(status)}); a run could not go on")


# -- the child ----------------------------------------------------------------------------------------------------


def _child(work: Work, code: UserCode, path: Path, pipe: int) -> NoReturn:
    """Work, write the answer into the pipe, and end. Nothing returns from here into the parent's code."""
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
        signal.alarm(int(IMPORT_SECONDS + TRIAL_SECONDS) + 1)  # ends the child if its parent was killed
        printed = _Printed(path)
        _redirect(printed)
        _write(pipe, *_outcome(lambda: work(lambda: _write(pipe, b".")), code, path, printed))
    except BaseException:  # of any kind: a child of a fork must not go on as its parent
        traceback.print_exc()
    finally:
        os._exit(0)


def _outcome(work: Callable[[], bytes], code: UserCode, path: Path, printed: "_Printed") -> tuple[bytes, bytes]:
    """`+` and the result, or `-` and what is wrong."""
    try:
        result = work()
    except UserError as error:
        return b"-", sendable(str(error)).encode()
    except BaseException as error:  # also SystemExit and KeyboardInterrupt: all of it is the user's code
        return b"-", sendable(blame(error, code, path)).encode()
    if code.in_file and (words := printed.in_words()):
        place = f"{code.short} line {printed.line}" if printed.line else code.short
        return b"-", sendable(f"{place}: prints {words!r}; it would fill the log, so remove the print").encode()
    return b"+", result


class _Printed(io.TextIOWrapper):
    """Takes what is printed, and notes the line of the user's file that printed first. Libraries print unnoticed."""

    def __init__(self, path: Path) -> None:
        super().__init__(open(os.devnull, "wb"))  # noqa: SIM115, PTH123 - open until the process ends
        self._path, self._text, self.line = str(path), "", 0

    def write(self, text: str) -> int:
        frame = sys._getframe(1)
        if not self._text.strip() and frame.f_code.co_filename == self._path:
            self._text, self.line = text, frame.f_lineno
        return len(text)

    def in_words(self) -> str:
        """The first line that was printed, shortened; empty if nothing was."""
        first = self._text.strip().partition("\n")[0]
        return first if len(first) <= 40 else f"{first[:39]}…"


def _redirect(printed: _Printed) -> None:
    """Send the output of this process nowhere: the standard output of the engine carries its answers."""
    for stream in (1, 2):
        os.dup2(printed.fileno(), stream)
    sys.stdout = printed


def _write(pipe: int, kind: bytes, content: bytes = b"") -> None:
    message = kind + len(content).to_bytes(4, "big") + content
    while message:
        message = message[os.write(pipe, message) :]


# -- the parent ---------------------------------------------------------------------------------------------------


def _receive(pipe: int, code: UserCode) -> tuple[bytes, bytes]:
    """The kind and the content of the child's answer; empty if it has ended without one.

    Raises: ConfigError, if the import or the trial takes too long.
    """
    kept = b""
    for seconds, words in ((IMPORT_SECONDS, "import"), (TRIAL_SECONDS, "build and try")):
        deadline = time.monotonic() + seconds
        while not _whole(kept):
            if not _readable(pipe, deadline - time.monotonic()):
                raise ConfigError(
                    f"{code.short}: takes more than {seconds:.0f} s to {words}; is there a loop without an end? If its "
                    "imports are slow the first time, try again"
                )
            more = os.read(pipe, 1 << 16)
            if not more or len(kept) > MAX_ANSWER:
                return b"", b""
            kept += more
        kind, length = kept[:1], int.from_bytes(kept[1:5], "big")
        content, kept = kept[5 : 5 + length], kept[5 + length :]
        if kind != b".":
            return kind, content
    return b"", b""


def _whole(message: bytes) -> bool:
    return len(message) >= 5 and len(message) >= 5 + int.from_bytes(message[1:5], "big")


def _readable(pipe: int, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return bool(selector.select(max(seconds, 0)))


def _end(child: int, by_itself: bool) -> int:
    """Kill the child with its own children, and return its exit code, negative for a signal.

    by_itself: whether it is about to end anyway, so that its exit code says why.
    """
    deadline = time.monotonic() + (ENDING_SECONDS if by_itself else 0)
    while time.monotonic() < deadline and os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        time.sleep(POLL)
    for kill in (os.killpg, os.kill):  # the child may not have made its group yet
        with suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _in_words(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
