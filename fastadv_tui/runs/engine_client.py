"""The engine's commands for headless callers: each function starts an engine process and returns its typed answers.

`check`, `doctor`, `count_flops` and `export` wait for one answer. `evaluate` and `prepare` give answers meanwhile.
"""

import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from engine.config.run import RunConfig
from engine.config.typed import decode, decoder
from engine.protocol.provenance import engine_command
from engine.protocol.requests import (
    CODE_OF,
    ON_GPU,
    Answer,
    Checked,
    Counted,
    EvalAnswer,
    EvalRequest,
    Exported,
    ExportRequest,
    MachineReport,
    PrepareAnswer,
    PrepareRequest,
    Refused,
)
from engine.protocol.stop import STOP_SIGNALS
from fastadv_tui.errors import UserError
from fastadv_tui.paths import engine_environment
from fastadv_tui.supervise.slots import takes_gpu

OneAnswer = TypeVar("OneAnswer", bound=Answer)
Answers = TypeVar("Answers")


class EngineError(UserError):
    """The engine process cannot start, or it ended without an answer."""


# -- one answer ---------------------------------------------------------------------------------------------------


def check(config: RunConfig, code_of: Path | None = None) -> Checked:
    """Have the engine check the data, the device and the network. The engine downloads the data if they are missing.

    code_of: the folder of a run that is repeated, whose copy of the user's code counts.

    Raises: UserError, if the run could not start; EngineError.
    """
    on_gpu = [ON_GPU] if takes_gpu(config.device) else []
    copied = [f"{CODE_OF}{code_of}"] if code_of else []
    return _ask("check", Checked, msgspec.json.encode(config), *on_gpu, *copied)


def check_all(configs: Iterable[RunConfig]) -> None:
    """As `check`, for many runs: only one of those that are alike for the check, and all by one engine.

    Raises: UserError, for the first run that could not start; EngineError.
    """
    questions: dict[bool, list[bytes]] = {}
    for config in runs_to_check(configs):
        questions.setdefault(takes_gpu(config.device), []).append(msgspec.json.encode(config))
    for on_gpu, lines in questions.items():
        _ask("check", Checked, b"\n".join(lines), *[ON_GPU] * on_gpu)


def doctor(data_dir: str) -> MachineReport:
    """A report of this machine's hardware and software and of the data sets in `data_dir`. Raises: EngineError."""
    return _ask("doctor", MachineReport, b"", data_dir)


def count_flops(config: RunConfig) -> Counted:
    """Count the floating-point operations of one image in the network of a run. The engine's stderr is not shown.

    Raises: UserError, if the network or the data set does not exist; EngineError.
    """
    return _ask("flops", Counted, msgspec.json.encode(config), stderr=subprocess.DEVNULL)


def export(request: ExportRequest) -> Exported:
    """Have the engine write the network of a run in another form. Its stderr, where torch talks, is not shown.

    Raises: UserError, if the network cannot be written; EngineError.
    """
    return _ask("export", Exported, msgspec.json.encode(request), stderr=subprocess.DEVNULL)


def runs_to_check(configs: Iterable[RunConfig]) -> list[RunConfig]:
    """One run for each distinct set of the settings that `check` depends on."""
    return list({_checked_settings(config): config for config in configs}.values())


def _checked_settings(config: RunConfig) -> tuple[object, ...]:
    model = config.model
    sizes = frozenset((phase.size, phase.crop, phase.batch_size) for phase in config.phase_list)
    images = config.dataset, config.data_code, config.data_dir, config.holdout, config.extra_data
    parts = bool(config.phases), sizes, config.micro_batch
    network = model.name, model.args, model.code
    return images, parts, network, config.device, config.capture, config.eval.attack


def _ask(command: str, kind: type[OneAnswer], request: bytes, *arguments: str, stderr: int | None = None) -> OneAnswer:
    """Have a command answer one question. Raises: as `read_answer`."""
    words = engine_command(f"--{command}", *arguments)
    try:
        code, output = _run(words, request, stderr)
    except OSError as error:  # no more processes are allowed, or there is no memory for a new process
        raise EngineError(f"cannot start the engine's {command}: {error}") from None
    return read_answer(command, kind, output, lambda: code)


def read_answer(command: str, kind: type[OneAnswer], output: bytes, exit_code: Callable[[], int]) -> OneAnswer:
    """The answer in the last line of a command's output. Libraries may have written lines before this line.

    Raises: UserError, if the request was refused; EngineError, if there is no answer.
    """
    try:
        answer = decode(output.splitlines()[-1], kind | Refused)
    except (IndexError, msgspec.DecodeError):
        ending = f"the engine's {command} ended without an answer (exit code {exit_code()})"
        raise EngineError(f"{ending}; `fastadv doctor` may show the cause") from None
    if isinstance(answer, Refused):
        raise UserError(answer.message)
    assert isinstance(answer, kind)
    return answer


def _run(words: Sequence[str], request: bytes, stderr: int | None) -> tuple[int, bytes]:
    """Run a command to its end, and return its exit code and its output. Raises: OSError.

    A Ctrl-C reaches all processes of the terminal. The command does not see it, or would print a traceback: this
    process ends the command.
    """
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # the command inherits the block
    try:
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=engine_environment()
        ) as process:
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)  # a Ctrl-C that came meanwhile is raised here
                output, _ = process.communicate(request)
            except BaseException:  # also a KeyboardInterrupt: no engine may outlive the question
                process.kill()
                raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)
    return process.returncode, output


# -- many answers -------------------------------------------------------------------------------------------------


def evaluate(request: EvalRequest) -> "EngineStream[EvalAnswer]":
    """Have the engine evaluate weights."""
    return EngineStream("eval", request, EvalAnswer)


def prepare(request: PrepareRequest) -> "EngineStream[PrepareAnswer]":
    """Have the engine prepare a data set."""
    return EngineStream("prepare", request, PrepareAnswer)


class EngineStream(Generic[Answers]):
    """An engine command that gives answers while it works.

    Enter the stream, iterate over the answers, leave the stream, and read `exit_code`. Inside the `with`, a SIGINT or
    SIGTERM may reach this process or the engine at any moment. The signal asks the engine to stop. The engine then
    saves its progress and ends. Only the main thread of a program can enter a stream.
    """

    def __init__(self, command: str, request: Struct, answers: Any) -> None:
        self._command, self._request = command, msgspec.json.encode(request)
        self._decoder = decoder(answers)

    def __enter__(self) -> "EngineStream[Answers]":
        """Start the engine and send the request. Raises: EngineError, if the engine cannot start."""
        old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # the engine removes the block itself
        try:
            self._process = self._start()
            self._handlers = {number: signal.signal(number, self._stop) for number in STOP_SIGNALS}
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as pipe:  # a dead engine: see `exit_code`
            pipe.write(self._request)
        return self

    def __iter__(self) -> Iterator[Answers]:
        """The answers, each as soon as the engine writes it. Raises: UserError, if the engine refuses the request."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = self._decoder.decode(line)
            if isinstance(answer, Refused):
                raise UserError(answer.message)
            yield answer

    def __exit__(self, *_: object) -> None:
        """Wait for the end of the engine. An engine that still writes answers ends, because nobody reads them."""
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """The exit code of the engine after the `with`: an ExitCode, or the negative number of a signal."""
        return int(self._process.returncode)

    def _start(self) -> "subprocess.Popen[bytes]":
        try:
            words, environment = engine_command(f"--{self._command}"), engine_environment()
            return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        except OSError as error:
            raise EngineError(f"cannot start the engine's {self._command}: {error}") from None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._process.terminate()
