"""How long a user waits, in two versions of fastadv side by side.

`python -m tests.benchmarks.waits --before PYTHON --after PYTHON [--pairs 5] [--data FOLDER]`

PYTHON is the interpreter of a virtual environment in which that version is installed. The versions take turns. FOLDER
has the official files of CIFAR-10, for the steps of the preset `speed`; without them, these steps are left out.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import torch

from tests.benchmarks.timing import machine

LIMIT = 600.0  # seconds after which a command is taken to hang
DIGITS = ("run", "digits", "--device", "cpu", "--epochs", "3", "--eval", "pgd-2", "--set", "eval.images=100")
SPEED_STEPS = 30  # steps of the preset `speed`, of which the last ten are timed


class Version:
    """One version of fastadv, with a home of its own."""

    def __init__(self, python: str, home: Path) -> None:
        self._python, self.home = python, home

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Run a command of this version. Its modules come from its virtual environment, whatever the folder is."""
        environment = {**os.environ, "FASTADV_HOME": str(self.home)}
        command = [self._python, "-P", "-m", "fastadv_tui", *words]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=environment, cwd=self.home, stdin=quiet, stdout=quiet, stderr=quiet)

    def finish(self, *words: str) -> float:
        """The seconds that a command takes. Raises: CalledProcessError."""
        begun = time.perf_counter()
        if code := self.start(*words).wait(LIMIT):
            raise subprocess.CalledProcessError(code, words)
        return time.perf_counter() - begun

    def events(self) -> list[dict[str, Any]]:
        """The events of the only run in the home."""
        files = list(self.home.glob("runs/*/events.jsonl"))
        lines = files[0].read_bytes().split(b"\n")[:-1] if files else []
        return [msgspec.json.decode(line) for line in lines]


def first_step(version: Version) -> float:
    """Seconds from the command to the first training step of a digits run."""
    begun, process = time.time(), version.start(*DIGITS)
    process.wait(LIMIT)
    return next(event["t"] for event in version.events() if event["type"] == "step") - begun


def epoch_end(version: Version) -> float:
    """Seconds from the last step of an epoch to its last accuracy, the median over the epochs of a digits run."""
    version.finish(*DIGITS)
    events = version.events()
    steps = {event["step"]: event["t"] for event in events if event["type"] == "step"}
    ends = {event["step"]: event["t"] for event in events if event["type"] == "evaluated" and event["stage"] != "final"}
    return statistics.median(end - steps[step] for step, end in ends.items())


def sweep(version: Version) -> float:
    """Seconds to submit a sweep of 100 runs."""
    version.finish("queue", "pause")
    return version.finish("sweep", "digits", "--device", "cpu", "--seeds", "0-99", "--yes")


def speed_step(data: Path) -> Callable[[Version], float]:
    """Seconds of a step of the preset `speed` (Muon) at width 16."""
    words = ("run", "cifar", "--device", "cpu", "--preset", "speed", "--compile", "off", "--data-dir", str(data))
    words += ("--set", "model.width=16")

    def measure(version: Version) -> float:
        process = version.start(*words)
        deadline = time.monotonic() + LIMIT
        while len(steps := [event for event in version.events() if event["type"] == "step"]) < SPEED_STEPS:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{words}: no {SPEED_STEPS} steps")
            time.sleep(0.2)
        version.finish("stop", "--now", "last")
        process.wait(LIMIT)
        last = steps[:SPEED_STEPS][-11:]
        return float(last[-1]["t"] - last[0]["t"]) / (last[-1]["step"] - last[0]["step"])

    return measure


@contextmanager
def fresh(python: str) -> Iterator[Version]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        version = Version(python, Path(folder))
        try:
            yield version
        finally:
            version.start("stop", "--now", "--filter", "status=running").wait(LIMIT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True)
    parser.add_argument("--after", default=sys.executable)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    print(machine(torch.device("cpu")))
    print(f"| wait | before, s | after, s | ratio | range of the ratios of {options.pairs} pairs |")
    print("| --- | --- | --- | --- | --- |")
    waits: dict[str, Callable[[Version], float]] = {
        "digits, command to first step": first_step,
        "digits, end of an epoch": epoch_end,
        "sweep of 100 runs": sweep,
    }
    if options.data:
        waits["step of `speed` at width 16"] = speed_step(options.data)
    for name, wait in waits.items():
        found: dict[str, list[float]] = {options.before: [], options.after: []}
        for pair in range(options.pairs):
            order = (options.before, options.after) if pair % 2 else (options.after, options.before)
            for python in order:
                with fresh(python) as version:
                    found[python].append(wait(version))
        before, after = found[options.before], found[options.after]
        ratios = sorted(new / old for old, new in zip(before, after, strict=True))
        print(
            f"| {name} | {statistics.median(before):.2f} | {statistics.median(after):.2f} | "
            f"{statistics.median(ratios):.2f} | {ratios[0]:.2f} to {ratios[-1]:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
