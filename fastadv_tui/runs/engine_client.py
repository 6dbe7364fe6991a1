"""The engine's commands, each asked in a process of its own, and their typed answers.

`check`, `doctor` and `count_flops` wait for one answer. `evaluate` and `prepare` answer while they work.
"""

import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from engine.config.run import RunConfig
from engine.protocol.provenance import engine_command
from engine.protocol.requests import (
    Answer,
    Checked,
    Counted,
    EvalAnswer,
    EvalRequest,
    MachineReport,
    PrepareAnswer,
    PrepareRequest,
    Refused,
)
from engine.protocol.stop import STOP_SIGNALS
from fastadv_tui.errors import UserError

OneAnswer = TypeVar("OneAnswer", bound=Answer)
Answers = TypeVar("Answers")


class EngineError(UserError):
    """The engine's process cannot start, or ended without an answer."""


# -- one answer ---------------------------------------------------------------------------------------------------


def check(config: RunConfig) -> Checked:
    """Have the engine check data and device, downloading the data if need be.

    Raises: UserError, if the run could not start; EngineError.
    """
    return _ask("check", Checked, msgspec.json.encode(config))


def doctor(data_dir: str) -> MachineReport:
    """What this machine has for training, and the data sets in a folder. Raises: EngineError."""
    return _ask("doctor", MachineReport, b"", data_dir)


def count_flops(config: RunConfig) -> Counted:
    """What one image costs the network of a run; takes seconds. What the engine writes to its stderr is dropped.

    Raises: UserError, if the network or the data set is not there; EngineError.
    """
    return _ask("flops", Counted, msgspec.json.encode(config), stderr=subprocess.DEVNULL)


def kinds(configs: Iterable[RunConfig]) -> list[RunConfig]:
    """One run for each distinct set of the settings that `check` looks at."""
    return list({(_looked_at(config), config.micro_batch, config.holdout): config for config in configs}.values())


def _looked_at(config: RunConfig) -> tuple[object, ...]:
    return config.dataset, config.data_dir, config.phase_list, config.model.name, config.device


def _ask(command: str, kind: type[OneAnswer], request: bytes, *arguments: str, stderr: int | None = None) -> OneAnswer:
    """The last line that the command writes; libraries may have written others before it."""
    words = engine_command(f"--{command}", *arguments)
    try:
        done = subprocess.run(words, input=request, stdout=subprocess.PIPE, stderr=stderr)
    except OSError as error:  # no more processes, or no memory for one
        raise EngineError(f"cannot start the engine's {command}: {error}") from None
    try:
        answer = msgspec.json.decode(done.stdout.splitlines()[-1], type=kind | Refused)
    except (IndexError, msgspec.DecodeError):
        said = f"the engine's {command} ended with {done.returncode}"
        raise EngineError(f"{said}; `fastadv doctor` may say why") from None
    if isinstance(answer, Refused):
        raise UserError(answer.message)
    assert isinstance(answer, kind)
    return answer


# -- many answers -------------------------------------------------------------------------------------------------


def evaluate(asked: EvalRequest) -> "EngineStream[EvalAnswer]":
    """Have the engine measure weights."""
    return EngineStream("eval", asked, EvalAnswer)


def prepare(asked: PrepareRequest) -> "EngineStream[PrepareAnswer]":
    """Have the engine prepare a data set."""
    return EngineStream("prepare", asked, PrepareAnswer)


class EngineStream(Generic[Answers]):
    """A command of the engine that answers while it works: enter it, iterate over the answers, look at `exit_code`.

    Inside the `with`, SIGINT and SIGTERM ask the engine to stop, whichever process they were sent to and at whatever
    moment: the engine saves its progress and ends. Only a program's main thread can enter it.
    """

    def __init__(self, command: str, request: Struct, answers: Any) -> None:
        self._command, self._request = command, msgspec.json.encode(request)
        self._decoder = msgspec.json.Decoder(answers)

    def __enter__(self) -> "EngineStream[Answers]":
        """Start the engine and ask it. Raises: EngineError, if it cannot start."""
        held = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # the engine inherits this, until it can stop
        try:
            self._process = self._start()
            self._handlers = {number: signal.signal(number, self._stop) for number in STOP_SIGNALS}
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as pipe:  # it is dead already: its exit code says why
            pipe.write(self._request)
        return self

    def __iter__(self) -> Iterator[Answers]:
        """The answers as they come. Raises: UserError, if the engine refuses the request."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = self._decoder.decode(line)
            if isinstance(answer, Refused):
                raise UserError(answer.message)
            yield answer

    def __exit__(self, *_: object) -> None:
        """Wait for the engine's end; if there are answers that nobody took, it stops."""
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """How the engine ended, once the `with` is left: an ExitCode, or the negative number of a signal."""
        return int(self._process.returncode)

    def _start(self) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(engine_command(f"--{self._command}"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise EngineError(f"cannot start the engine's {self._command}: {error}") from None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._process.terminate()
