"""One engine process that answers the questions of a dashboard for the dashboard's life.

The process is replaced only if it does not leave a cancelled question in time.
"""

import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec

from engine.config.run import RunConfig
from engine.config.typed import decode
from engine.protocol.provenance import engine_command
from engine.protocol.requests import Answer, Begun, Checked, Counted, Question, Ready, Refused, Reply, Superseded
from fastadv_tui.errors import UserError
from fastadv_tui.paths import engine_environment
from fastadv_tui.runs.engine_client import EngineError
from fastadv_tui.supervise.slots import takes_gpu

YIELD_SECONDS = 0.5  # that the process may take to leave an older question


class SupersededError(UserError):
    """A newer question has cancelled this one, or the dashboard ends: nobody waits for the answer any more."""


class EngineServer:
    """Asks the engine. Each question waits for its answer, so ask from a thread. The process starts with the first one.

    The process ends with this one, however this one ends: its standard input closes then. A newer count cancels the
    older one. A check cancels a count and is never cancelled, since a run starts after it: later questions wait.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0  # of the last question
        self._count = 0  # of the last call of `count_flops`
        self._checking = self._closed = False
        self._process: _Process | None = None

    def check(self, config: RunConfig) -> Checked:
        """Have the engine check the data and the device. The engine downloads the data if they are missing.

        Raises: UserError, if the run could not start; SupersededError, if the dashboard ends; EngineError.
        """
        on_gpu = takes_gpu(config.device)
        with self._changed:
            self._changed.wait_for(lambda: not self._checking or self._closed)
            self._checking = True
            self._cancel_count()
            try:
                answer = self._ask("check", config, lambda: not self._closed, on_gpu)
            finally:
                self._checking = False
                self._changed.notify_all()
        assert isinstance(answer, Checked)
        return answer

    def count_flops(self, config: RunConfig) -> Counted:
        """Count the floating-point operations of one image in the network of a run.

        Raises: UserError, if the network or the data set does not exist; SupersededError; EngineError.
        """
        with self._changed:
            self._cancel_count()
            count = self._count

            def wanted() -> bool:
                return self._count == count and not self._closed

            self._changed.wait_for(lambda: not self._checking or not wanted())
            answer = self._ask("flops", config, wanted)
        assert isinstance(answer, Counted)
        return answer

    def cancel_count(self) -> None:
        """Nobody waits for a count any more. The process leaves it when the next question comes."""
        with self._changed:
            self._cancel_count()

    def close(self) -> None:
        """End the process and every question that waits."""
        with self._changed:
            self._closed = True
            process, self._process = self._process, None
            self._changed.notify_all()
        if process is not None:
            process.kill()

    def _cancel_count(self) -> None:
        self._count += 1
        self._changed.notify_all()

    def _ask(
        self, command: Literal["check", "flops"], config: RunConfig, wanted: Callable[[], bool], on_gpu: bool = False
    ) -> Answer:
        """The answer to a question. `self._changed` is held, and released while this waits."""
        self._number += 1
        question = Question(number=self._number, command=command, config=config, on_gpu=on_gpu)
        process = self._give(question, wanted)
        begins = self._wait(process, lambda: process.begun >= question.number, wanted, YIELD_SECONDS)
        if not begins and not process.ended:
            self._drop(process)
            process = self._give(question, wanted)
        self._wait(process, lambda: question.number in process.answers, wanted)
        answer = process.answers.pop(question.number, None)
        if isinstance(answer, Refused):
            raise UserError(answer.message)
        if answer is None or isinstance(answer, Superseded):
            raise EngineError("the engine ended without an answer; `fastadv doctor` may show the cause")
        return answer

    def _give(self, question: Question, wanted: Callable[[], bool]) -> "_Process":
        """Give a question to the process, to a new one if there is none, as soon as the process is ready.

        Raises: SupersededError; EngineError, if the process cannot start.
        """
        if not wanted():
            raise SupersededError("nobody waits for the answer any more")
        if self._process is None or self._process.ended:
            self._process = _Process(self._changed)
        process = self._process
        if self._wait(process, lambda: process.ready, wanted):
            process.send(msgspec.json.encode(question) + b"\n")
        return process

    def _wait(
        self,
        process: "_Process",
        happens: Callable[[], bool],
        wanted: Callable[[], bool],
        seconds: float | None = None,
    ) -> bool:
        """Wait until something happens. False if the process has ended, or after `seconds`. Raises: SupersededError."""
        self._changed.wait_for(lambda: happens() or process.ended or not wanted(), seconds)
        if not wanted():
            raise SupersededError("nobody waits for the answer any more")
        return happens()

    def _drop(self, process: "_Process") -> None:
        process.kill()
        if self._process is process:
            self._process = None


class _Process:
    """The engine process, and what it has replied so far. `changed` guards all attributes.

    begun: the number of the last question that the process began with. ended: whether no more replies come.
    """

    def __init__(self, changed: threading.Condition) -> None:
        """Raises: EngineError, if the process cannot start."""
        self.ready = self.ended = False
        self.begun = 0
        self.answers: dict[int, Checked | Counted | Refused | Superseded] = {}
        self._changed = changed
        try:
            self._process = subprocess.Popen(
                engine_command("--serve"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=engine_environment(),
                start_new_session=True,  # a Ctrl-C in the terminal is not meant for it
            )
        except OSError as error:
            raise EngineError(f"cannot start the engine: {error}") from None
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, line: bytes) -> None:
        """Write a line. A process that is ready reads all the time, so this does not wait."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # the process has ended; the reading thread tells
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def kill(self) -> None:
        """End the process at once. The thread that reads from it waits for its end."""
        self._process.kill()

    def _read(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        for line in self._process.stdout:
            try:
                reply = decode(line, Reply)
            except msgspec.DecodeError:  # a process that was killed while it wrote
                continue
            with self._changed:
                self._take(reply)
                self._changed.notify_all()
        self._process.wait()
        with self._changed:  # nobody sends any more
            self.ended = True
            self._process.stdout.close()
            with suppress(OSError):  # a line that the process did not read any more
                self._process.stdin.close()
            self._changed.notify_all()

    def _take(self, reply: Reply) -> None:
        match reply.answer:
            case Ready():
                self.ready = True
            case Begun():
                self.begun = reply.number
            case answer:
                self.answers = {reply.number: answer}  # nobody waits for an older one
