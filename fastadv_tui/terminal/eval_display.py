"""`fastadv eval`: the engine's answers on the screen."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from engine.config.units import units
from engine.protocol.provenance import engine_command
from engine.protocol.requests import AnyAnswer, EvalRequest, Measured, Refused, Understood, Working
from fastadv_tui.errors import UserError
from fastadv_tui.text.quantities import attack_name, first_images, format_percent
from fastadv_tui.text.sanitize import one_line

KILLED, STOPPED = 1, 130


def ask(asked: EvalRequest, as_json: bool) -> int:
    """Have the engine measure, show its answers, and return the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it starts behind a `&`
    view: View = AsJson() if as_json else OnTerminal() if sys.stderr.isatty() else AsLines()
    with _engine(asked) as process, view.open():
        try:
            for answer in _answers(process):
                if isinstance(answer, Refused):
                    process.wait()
                    raise UserError(answer.message)
                view.show(answer)
        except KeyboardInterrupt:
            process.terminate()  # it saves and ends; of a Ctrl-C it knows already, of a lone SIGINT not
            process.wait()
    if process.returncode == STOPPED:
        print("stopped; the same command goes on from here", file=sys.stderr)
    if process.returncode < 0:
        why = f"the engine was killed (signal {-process.returncode}), perhaps for want of memory"
        print(f"fastadv: {why}; the same command goes on from its last save", file=sys.stderr)
        return KILLED
    return process.returncode


@contextmanager
def _engine(asked: EvalRequest) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(engine_command("--eval"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(asked))
        process.stdin.close()
        yield process


def _answers(process: "subprocess.Popen[bytes]") -> Iterator[AnyAnswer]:
    assert process.stdout is not None
    for text in process.stdout:
        yield msgspec.json.decode(text, type=AnyAnswer)


class View(Protocol):
    """Shows the answers as they come."""

    @contextmanager
    def open(self) -> Iterator[None]: ...

    def show(self, answer: AnyAnswer) -> None: ...


class AsJson:
    """The answers as they are."""

    @contextmanager
    def open(self) -> Iterator[None]:
        yield

    def show(self, answer: AnyAnswer) -> None:
        print(msgspec.json.encode(answer).decode(), flush=True)


class AsLines:
    """For pipes and log files: a line every tenth of the way."""

    def __init__(self) -> None:
        self._told = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        yield

    def show(self, answer: AnyAnswer) -> None:
        match answer:
            case Understood():
                print(understood(answer), file=sys.stderr, flush=True)
            case Working() if 10 * answer.done // max(answer.total, 1) > self._told:
                self._told = 10 * answer.done // max(answer.total, 1)
                print(f"{10 * self._told}%", file=sys.stderr, flush=True)
            case Measured():
                print("\n".join(measured(answer)), flush=True)


class OnTerminal(AsLines):
    """A bar with the time left."""

    @contextmanager
    def open(self) -> Iterator[None]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.percentage:>3.0f}%")
        times = TextColumn("elapsed"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
        with Progress(*columns, *times, console=Console(stderr=True), transient=True) as self._progress:
            self._task = self._progress.add_task("attacking", total=None)
            yield

    def show(self, answer: AnyAnswer) -> None:
        if isinstance(answer, Working):
            self._progress.update(self._task, completed=answer.done, total=answer.total)
        else:
            super().show(answer)


def understood(answer: Understood) -> str:
    """What will be measured, so that nobody has to guess."""
    images = first_images(answer.images, answer.test_images, answer.held_out)
    official = " (not the official files)" if answer.official_data is False else ""
    return one_line(
        f"{attack_name(answer.attack)} on {images}{official} · {answer.device}, search in {answer.search} · weights "
        f"matched {answer.matched} · normalised: {answer.normalize}"
    )


def measured(answer: Measured) -> list[str]:
    """One line for each eps."""
    when = ", measured before (--again measures anew)" if answer.before else f", {answer.seconds:,.0f} s"
    wrong = f", {answer.unreadable} of them unreadable and counted as wrong" if answer.unreadable else ""
    head = f"clean {format_percent(answer.clean)} on {answer.images:,} images{wrong}{when}"
    return [
        head,
        *(
            f"eps {units(eps):>5}/255  {attack_name(answer.attack)} {format_percent(robust)}"
            for eps, robust in zip(answer.eps, answer.robust, strict=True)
        ),
    ]
