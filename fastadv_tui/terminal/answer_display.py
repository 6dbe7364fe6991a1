"""Output of `fastadv eval` and `fastadv prepare`: shows the engine's answers as JSON, as lines, or with a bar."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from engine.protocol.exit_code import ExitCode
from engine.protocol.requests import (
    Completed,
    CorruptionsMeasured,
    EvalAnswer,
    EvalRequest,
    Failed,
    Measured,
    Planned,
    PrepareAnswer,
    PrepareRequest,
    Progress,
    Understood,
    Unsaved,
    Working,
)
from fastadv_tui.runs import engine_client
from fastadv_tui.runs.engine_client import EngineStream
from fastadv_tui.terminal import corruptions_text, eval_text, prepare_text
from fastadv_tui.text.sanitize import one_line

AnyAnswer = EvalAnswer | PrepareAnswer
ATTACKING, CORRUPTED = "attacking", "corrupted images"  # the stages of evaluations, each the only one of its own
LOOKING = "looking"  # the first stage of a preparation
LONG_STAGES = (
    ATTACKING,
    CORRUPTED,
    "preparing",
)  # stages that print a line every tenth of the way; the others are short


def evaluate(asked: EvalRequest, as_json: bool, target: str = "") -> int:
    """Start an evaluation in the engine and show its answers. Returns the exit code. Raises: UserError.

    target: of several, as the user typed it; each object of JSON then begins with it.
    """
    view = JsonView(target) if as_json else choose(as_json, CORRUPTED if asked.corruptions else ATTACKING)
    return _show(engine_client.evaluate(asked), view, eval_text.KILLED)


def prepare(asked: PrepareRequest, as_json: bool) -> int:
    """Start a preparation in the engine and show its answers. Returns the exit code. Raises: UserError."""
    return _show(engine_client.prepare(asked), choose(as_json, LOOKING), prepare_text.KILLED)


def _show(stream: EngineStream[EvalAnswer] | EngineStream[PrepareAnswer], view: "View", killed: str) -> int:
    """killed: the message if the engine was killed; `{}` stands for the number of the signal."""
    with stream, view.open():
        for answer in stream:
            if isinstance(answer, Failed | Unsaved):
                _print_error(one_line(answer.message))
            view.show(answer)
    if stream.exit_code == ExitCode.STOPPED:
        print("stopped; run the same command again to continue", file=sys.stderr)
    if stream.exit_code < 0:
        _print_error(killed.format(-stream.exit_code))
        return ExitCode.FAILED
    return stream.exit_code


def _print_error(text: str) -> None:
    print(f"fastadv: {text}", file=sys.stderr, flush=True)


class View(Protocol):
    """Shows the engine's answers as they arrive."""

    @contextmanager
    def open(self) -> Iterator[None]: ...

    def show(self, answer: AnyAnswer) -> None: ...


def choose(as_json: bool, stage: str) -> View:
    """The view for the kind of output. stage: the label of the progress bar until an answer tells another one."""
    if as_json:
        return JsonView()
    return BarView(stage) if sys.stderr.isatty() else LineView(stage)


class JsonView:
    """Prints each answer as JSON, one object per line. target: begins each object, if there is more than one target."""

    def __init__(self, target: str = "") -> None:
        self._target = {"target": target} if target else {}

    @contextmanager
    def open(self) -> Iterator[None]:
        yield

    def show(self, answer: AnyAnswer) -> None:
        found = {**self._target, **msgspec.to_builtins(answer)}
        print(msgspec.json.encode(found).decode(), flush=True)


class LineView:
    """Prints lines for pipes and log files; in long stages, a line every tenth of the way.

    stage: that of answers which tell none, as those of an evaluation.
    """

    def __init__(self, stage: str) -> None:
        self._stage, self._tenths = stage, 0

    @contextmanager
    def open(self) -> Iterator[None]:
        yield

    def show(self, answer: AnyAnswer) -> None:
        match answer:
            case Working() | Progress():
                stage = answer.stage if isinstance(answer, Progress) else self._stage
                self.advance(stage, answer.done, answer.total)
            case Understood():
                print("\n".join(eval_text.understood(answer)), file=sys.stderr, flush=True)
            case Planned():
                print("\n".join(prepare_text.planned(answer)), file=sys.stderr, flush=True)
            case Measured():
                print("\n".join(eval_text.measured(answer)), flush=True)
            case CorruptionsMeasured():
                print("\n".join(corruptions_text.measured(answer)), flush=True)
            case Completed():
                print("\n".join(prepare_text.completed(answer)), flush=True)

    def advance(self, stage: str, done: int, total: int) -> None:
        """Show the progress of a stage: `done` of `total` units of work."""
        tenths = 10 * done // max(total, 1)
        if stage in LONG_STAGES and tenths > self._tenths:
            self._tenths = tenths
            print(f"{10 * tenths}%", file=sys.stderr, flush=True)


class BarView(LineView):
    """Shows a progress bar with the elapsed and the remaining time."""

    @contextmanager
    def open(self) -> Iterator[None]:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.percentage:>3.0f}%")
        times = TextColumn("elapsed"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
        with Bars(*columns, *times, console=Console(stderr=True), transient=True) as self._bars:
            self._task = self._bars.add_task(self._stage, total=None)
            yield

    def advance(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._stage = stage
            self._bars.reset(self._task, description=stage)
        self._bars.update(self._task, completed=done, total=total)
