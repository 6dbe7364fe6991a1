"""`engine --serve`: answers many questions in one process, so that torch is loaded once.

A newer question cancels the older one, which nobody waits for any more. The process ends when its standard input does:
that is, when the process that asks has ended, however it ended.
"""

import importlib
import os
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import BinaryIO

import msgspec

from engine.commands.check import check_run
from engine.commands.flops import count_run
from engine.config.errors import UserError
from engine.config.sendable import sendable
from engine.config.typed import decode
from engine.protocol.answers import system_error_text
from engine.protocol.exit_code import ExitCode
from engine.protocol.requests import Begun, Checked, Counted, Question, Ready, Refused, Reply, Superseded
from engine.runtime.garbage import resume_garbage_collection

# What the answers import late. It is loaded before the first question, because an import cannot be cancelled.
NEEDED = ("engine.models.batchnorm_check", "engine.models.flops", "engine.runtime.device")
IMPORT_POLL = 0.02  # seconds between two looks whether an import is over
IMPORTLIB = "<frozen importlib._bootstrap>"


def serve() -> int:
    """Answer the questions on standard input, one Question per line, until it ends. Returns the exit code."""
    server = _Server(sys.stdin.buffer, _private_stdout())
    for module in NEEDED:
        importlib.import_module(module)
    resume_garbage_collection()
    return server.run()


def _private_stdout() -> BinaryIO:
    """The standard output for the replies alone. What libraries print goes to standard error."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return output


class _Cancelled(BaseException):
    """A newer question has come. No library catches a BaseException by accident."""


class _Server:
    """The main thread answers. A second thread reads, and interrupts the main thread by a signal."""

    def __init__(self, questions: BinaryIO, replies: BinaryIO) -> None:
        self._questions, self._replies = questions, replies
        self._newest: Question | None = None
        self._changed = threading.Condition()
        self._cancellable = False  # only while a question is worked on
        signal.signal(signal.SIGALRM, self._cancel)
        threading.Thread(target=self._read, daemon=True).start()

    def run(self) -> int:
        """Returns the exit code; in most cases, the reading thread ends the process before."""
        self._reply(0, Ready())
        while True:
            question = self._next()
            self._reply(question.number, Begun())
            try:
                self._cancellable = True
                with self._changed:
                    outdated = self._newest is not None
                answer = Superseded() if outdated else _answer(question)
            except _Cancelled:
                answer = Superseded()
            finally:
                self._cancellable = False
            self._reply(question.number, answer)

    def _next(self) -> Question:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None)
            question, self._newest = self._newest, None
        assert question is not None
        return question

    def _reply(self, number: int, answer: Ready | Begun | Superseded | Checked | Counted | Refused) -> None:
        try:
            self._replies.write(msgspec.json.encode(Reply(number=number, answer=answer)) + b"\n")
            self._replies.flush()
        except BrokenPipeError:
            os._exit(ExitCode.STOPPED)

    def _read(self) -> None:
        """Take questions until the other process has ended; then end this one at once, whatever it is doing."""
        main = threading.main_thread().ident
        assert main is not None
        for line in self._questions:
            question = decode(line, Question)
            with self._changed:
                self._newest = question
                self._changed.notify()
            signal.pthread_kill(main, signal.SIGALRM)
        os._exit(ExitCode.DONE)

    def _cancel(self, number: int, frame: FrameType | None) -> None:
        """Leave the question that is worked on. An import is finished first: half a module would break later answers.

        Python runs this in the main thread, between two of its instructions.
        """
        if not self._cancellable:
            return
        if _importing(frame):
            signal.setitimer(signal.ITIMER_REAL, IMPORT_POLL)
            return
        self._cancellable = False  # so that a second signal does not interrupt the handling of the first
        raise _Cancelled


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORTLIB:
            return True
        frame = frame.f_back
    return False


def _answer(question: Question) -> Checked | Counted | Refused:
    try:
        config, check = question.config, question.command == "check"
        return check_run(config, question.on_gpu) if check else count_run(config)
    except UserError as error:
        return Refused(message=sendable(str(error)))
    except OSError as error:
        return Refused(message=sendable(system_error_text(error)))
    except Exception as error:  # one question must not end the answers to all others
        traceback.print_exc()
        return Refused(message=sendable(f"{type(error).__name__}: {error}".partition("\n")[0]))
