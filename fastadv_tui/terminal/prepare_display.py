"""`fastadv prepare`: the engine's answers on the screen."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from engine.protocol.provenance import engine_command
from engine.protocol.requests import Completed, Failed, Planned, PrepareAnswer, PrepareRequest, Progress, Refused
from fastadv_tui.errors import UserError
from fastadv_tui.paths import data_dir
from fastadv_tui.text.quantities import format_bytes
from fastadv_tui.text.sanitize import one_line

STOPPED = 130
NAMED = 20  # broken images on the screen
STAGE = "preparing"
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def ask(asked: PrepareRequest, as_json: bool) -> int:
    """Have the engine prepare, show its answers, and return the exit code."""
    view: View = AsJson() if as_json else OnTerminal() if sys.stderr.isatty() else AsLines()
    with _engine(asked) as process, view.open():
        for answer in _answers(process):
            if isinstance(answer, Refused):
                process.wait()
                raise UserError(one_line(answer.message))
            if isinstance(answer, Failed):
                print(f"fastadv: {one_line(answer.message)}", file=sys.stderr, flush=True)
            view.show(answer)
    if process.returncode == STOPPED:
        print("stopped; the same command goes on from here", file=sys.stderr)
    return process.returncode if process.returncode >= 0 else _killed(-process.returncode)


@contextmanager
def _engine(asked: PrepareRequest) -> Iterator["subprocess.Popen[bytes]"]:
    """The engine's process, to which a request to stop is passed on, whoever it was sent to and at whatever moment."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # the engine inherits this, until it is ready to stop
    try:
        process = subprocess.Popen(engine_command("--prepare"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for number in SIGNALS:
            signal.signal(number, lambda *_: process.terminate())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with process:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(asked))
        process.stdin.close()
        yield process


def _answers(process: "subprocess.Popen[bytes]") -> Iterator[PrepareAnswer]:
    assert process.stdout is not None
    for text in process.stdout:
        yield msgspec.json.decode(text, type=PrepareAnswer)


def _killed(number: int) -> int:
    print(f"fastadv: the engine was killed (signal {number}); the same command goes on from here", file=sys.stderr)
    return 1


class View(Protocol):
    """Shows the answers as they come."""

    @contextmanager
    def open(self) -> Iterator[None]: ...

    def show(self, answer: PrepareAnswer) -> None: ...


class AsJson:
    """The answers as they are."""

    @contextmanager
    def open(self) -> Iterator[None]:
        yield

    def show(self, answer: PrepareAnswer) -> None:
        print(msgspec.json.encode(answer).decode(), flush=True)


class AsLines:
    """For pipes and log files: a line every tenth of the way."""

    def __init__(self) -> None:
        self._told = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        yield

    def show(self, answer: PrepareAnswer) -> None:
        match answer:
            case Planned():
                print("\n".join(planned(answer)), file=sys.stderr, flush=True)
            case Progress(stage=stage) if stage == STAGE and 10 * answer.done // max(answer.total, 1) > self._told:
                self._told = 10 * answer.done // max(answer.total, 1)
                print(f"{10 * self._told}%", file=sys.stderr, flush=True)
            case Completed():
                print("\n".join(completed(answer)), flush=True)


class OnTerminal(AsLines):
    """A bar with the time left."""

    @contextmanager
    def open(self) -> Iterator[None]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.percentage:>3.0f}%")
        times = TextColumn("elapsed"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
        with Progress(*columns, *times, console=Console(stderr=True), transient=True) as self._progress:
            self._task, self._stage = self._progress.add_task("looking", total=None), "looking"
            yield

    def show(self, answer: PrepareAnswer) -> None:
        if not isinstance(answer, Progress):
            super().show(answer)
            return
        if answer.stage != self._stage:
            self._stage = answer.stage
            self._progress.reset(self._task, description=answer.stage)
        self._progress.update(self._task, completed=answer.done, total=answer.total)


def planned(answer: Planned) -> list[str]:
    """What will be done, and a warning if there may be no room for it."""
    train, val = answer.images["train"], answer.images["val"]
    sizes = ", ".join(map(str, answer.sizes))
    lines = [
        f"{answer.kind}: {answer.source}",
        f"{train:,} training and {val:,} validation images of {answer.classes:,} classes → {answer.out}",
        f"shorter sides {sizes} · JPEG quality {answer.quality} · workers {answer.workers} · about "
        f"{format_bytes(answer.needed)} to write, {format_bytes(answer.free)} free",
    ]
    lines += answer.remarks
    if answer.there:
        lines.append(f"{answer.there:,} images are done already")
    if answer.needed > answer.free:
        lines.append(
            f"WARNING: the disk will be full before the end: about {format_bytes(answer.needed)} needed, "
            f"{format_bytes(answer.free)} free; make room meanwhile, or choose another --out"
        )
    return [one_line(text) for text in lines]


def completed(answer: Completed) -> list[str]:
    """The summary."""
    rate = f" ({answer.images / answer.seconds:,.0f} a second)" if answer.images and answer.seconds else ""
    lines = [
        f"prepared {answer.out}: {answer.counts['train']:,} training and {answer.counts['val']:,} validation images, "
        f"full and shorter sides {', '.join(map(str, answer.sizes))}",
        f"{answer.images:,} images now in {answer.seconds:,.1f} s{rate}: {answer.resized:,} files resized, "
        f"{answer.copied:,} copied as they are",
    ]
    usual = Path(answer.out) == (data_dir() / "imagenet").resolve()
    lines.append(f"train on it: fastadv run {'imagenet' if usual else f'imagefolder:{shlex.quote(answer.out)}'}")
    if answer.broken:
        lines.append(f"{len(answer.broken):,} broken images were left out, all named in prepared.json:")
        lines += [f"  {place}: {why}" for place, why in [*answer.broken.items()][:NAMED]]
    if len(answer.broken) > NAMED:
        lines.append(f"  and {len(answer.broken) - NAMED:,} more")
    return [one_line(text) for text in lines]
