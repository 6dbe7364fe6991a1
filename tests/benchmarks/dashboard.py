"""What the dashboard costs: `python -m tests.benchmarks.dashboard` opens it in a terminal.

First paint with 1,000 past runs, the form of a new run and its keys, memory and processor time idle and with 8 live
runs, the history with 10,000 rows, and how long after a key the filtered table stands.
"""

import asyncio
import fcntl
import os
import platform
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import textual
from textual import events
from textual.widgets import DataTable, Input

from engine.protocol.event_log import Writer
from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.history.index import History
from fastadv_tui.paths import ensure_home
from tests.support import demo_home
from tests.support.events import step

COLUMNS, LINES = 120, 40
NAMES = {" ": "space", "=": "equals_sign", ">": "greater_than_sign", ".": "full_stop"}
SECONDS = 20.0  # over which processor time is measured
LIVE = 8
DOWN, UP, RIGHT = b"\x1b[B", b"\x1b[A", b"\x1b[C"
# From the data set to the method and back; each key changes what is drawn.
FORM_KEYS = (
    DOWN, RIGHT, DOWN, b"x", b"\x7f", DOWN, b"4", b"8", b"\x7f", DOWN, DOWN, RIGHT, RIGHT, UP, UP, UP, UP, UP,
)  # fmt: skip


def main() -> None:
    versions = f"Python {platform.python_version()}, Textual {textual.__version__}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {versions}, {time.strftime('%Y-%m-%d')}")
    with home():
        History().upsert(demo_home.many(1000))
        paints = [first_paint() for _ in range(5)]
        best = min(paints)
        print(f"1,000 past runs: first paint {1000 * best[0]:.0f} ms, runs listed {1000 * best[1]:.0f} ms (best of 5)")
        with opened() as (process, _):
            print(f"1,000 past runs, idle: {cpu_share(process):.1%} of a core, {megabytes(process):.0f} MB")
        form = [open_form() for _ in range(5)]
        print(f"1,000 past runs: the form opens in {1000 * min(form):.0f} ms (best of 5)")
        lags = form_lags()
        print(f"1,000 past runs: a key in the form is drawn {1000 * max(lags):.0f} ms later at worst, of {len(lags)}")
    with home():
        demo_home.fill("eight")
        with writing(), opened() as (process, _):
            print(f"{LIVE} live runs: {cpu_share(process):.1%} of a core, {megabytes(process):.0f} MB")
    with home():
        History().upsert(demo_home.many(10_000))
        opening = min(open_history() for _ in range(3))
        print(f"10,000 past runs: history opens in {1000 * opening:.0f} ms (best of 3)")
        lags = asyncio.run(filter_lags())
        print(
            f"10,000 past runs: a key in the filter is taken {1000 * max(lags):.0f} ms later at worst, of {len(lags)}"
        )


@contextmanager
def home() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FASTADV_HOME"] = folder
        ensure_home()
        yield


class Terminal:
    """The output of a program in a pseudo-terminal, read all the time."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.text = b""
        self._leaving = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def wait(self, wanted: bytes, since: int = 0, seconds: float = 60.0) -> float:
        """The time at which it said so."""
        deadline = time.perf_counter() + seconds
        while wanted not in self.text[since:]:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{wanted!r} did not come")
            time.sleep(0.002)
        return time.perf_counter()

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def close(self) -> None:
        self._leaving.set()

    def _read(self) -> None:
        while not self._leaving.is_set():
            if select.select([self.master], [], [], 0.05)[0]:
                self.text += os.read(self.master, 1 << 16)


@contextmanager
def opened() -> Iterator[tuple[psutil.Process, Terminal]]:
    """The dashboard in a terminal of its own; ends with it."""
    terminal = Terminal()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-P", "-m", "fastadv_tui"]
    child = subprocess.Popen(
        command,
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        env=environment | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
        start_new_session=True,
    )
    try:
        yield psutil.Process(child.pid), terminal
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        terminal.close()


def first_paint() -> tuple[float, float]:
    """Seconds from the start of the process to its first frame, and to the list of runs."""
    begun = time.perf_counter()
    with opened() as (_, terminal):
        frame = terminal.wait(b"Runs") - begun
        return frame, terminal.wait(b"pgd-eps2") - begun


def cpu_share(process: psutil.Process) -> float:
    """Share of one core over SECONDS, after it has come to rest."""
    time.sleep(4.0)
    before = sum(process.cpu_times()[:2])
    time.sleep(SECONDS)
    return float(sum(process.cpu_times()[:2]) - before) / SECONDS


def megabytes(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


@contextmanager
def writing() -> Iterator[None]:
    """Eight runs that write a step twice a second, as engines do."""
    leaving = threading.Event()

    def write() -> None:
        writers = [Writer(RunDir(Path(os.environ["FASTADV_HOME"]) / "runs" / f"e{n}ght0").events) for n in range(LIVE)]
        number = 5000
        while not leaving.wait(0.5):
            number += 1
            for writer in writers:
                writer.write(step(number, elapsed=number / 2, epoch=number / 390, loss=1.5))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        leaving.set()
        thread.join()


def open_history() -> float:
    with opened() as (_, terminal):
        terminal.wait(b"pgd-eps2")
        begun, since = time.perf_counter(), len(terminal.text)
        terminal.type(b"h")
        return terminal.wait(b"10,000 of 10,000 runs", since) - begun


def open_form() -> float:
    """Seconds from the key until the form and its plan are drawn."""
    with opened() as (_, terminal):
        terminal.wait(b"pgd-eps2")
        time.sleep(1.0)  # the first look at the runs and the machine is over
        begun, since = time.perf_counter(), len(terminal.text)
        terminal.type(b"n")
        return terminal.wait(b"fastadv run digits", since) - begun


def form_lags() -> list[float]:
    """Seconds from each key in the form until the terminal gets something new, as each key changes its line."""
    lags = []
    with opened() as (_, terminal):
        terminal.wait(b"pgd-eps2")
        terminal.type(b"n")
        terminal.wait(b"fastadv run digits")
        time.sleep(3.0)  # until the work is counted
        for key in [*FORM_KEYS * 3]:
            begun, since = time.perf_counter(), len(terminal.text)
            terminal.type(key)
            while len(terminal.text) == since:
                time.sleep(0.001)
            lags.append(time.perf_counter() - begun)
            time.sleep(0.25)  # the form is read, and drawn again, behind the key
    return lags


async def filter_lags() -> list[float]:
    """Seconds from each key until the field shows it, while the table is filtered and filled behind the keys."""
    app = Fastadv(Settings())
    lags = []
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        while not app.snapshot.loaded:
            await pilot.pause(0.05)
        await pilot.press("h", "slash")
        while app.screen.query_one(DataTable).row_count != 500:
            await pilot.pause(0.05)
        field = app.screen.query_one("#query", Input)
        for length, character in enumerate("method=fgsm eps>=8 robust>0.4 paper", 1):
            begun = time.perf_counter()
            app.post_message(events.Key(NAMES.get(character, character), character))
            while len(field.value) < length:
                await asyncio.sleep(0)
            lags.append(time.perf_counter() - begun)
            await asyncio.sleep(0.05 + 0.3 * random.random())  # quicker and slower than the filter is looked at
    return lags


if __name__ == "__main__":
    main()
