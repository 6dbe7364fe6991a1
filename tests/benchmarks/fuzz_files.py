"""Reads mutated files of weights, images and data sets, and searches for answers that are wrong.

A finding is an exception that is no refusal, a hang of more than 10 s, a killed process, a warning that reaches the
user, a message that is not one line, or values that are not those of the file. All trials are read by the product's
functions in one process, and one in `--sample` by the whole command. Inputs with findings are kept.

    python -m tests.benchmarks.fuzz_files --count 10000 --seed 0

Exit code 1 if there is a finding.
"""

import argparse
import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

LONGEST = 10.0  # seconds that one trial may take
START = 120.0  # seconds that a new process may take to import torch
COMMAND = 300.0  # seconds that a whole command may take; on a busy machine the imports alone take a minute
MEMORY = 4 << 30  # bytes that a process may have beyond what it has after its imports
LARGE = 1 << 30  # bytes: a trial that takes more is a finding, because all files are small
FASTADV = (sys.executable, "-P", "-m", "fastadv_tui")
WIDTH = 100  # columns of the progress line


@dataclass
class Totals:
    """outcomes: the number of trials by kind and outcome. findings: what was found, by the number of the trial."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)
    commands: int = 0


def main() -> int:
    asked = _arguments()
    asked.keep.mkdir(parents=True, exist_ok=True)
    totals, begun = Totals(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        for number, outcome, wrong in _results(asked.seed, asked.first, asked.first + asked.count, Path(name)):
            _record(totals, asked, Path(name), number, outcome, wrong)
            if asked.sample and Random(f"{asked.seed} {number}").randrange(asked.sample) == 0:
                _try_command(totals, asked, Path(name), number)
            _progress(number + 1 - asked.first, asked.count, totals, begun)
    _print_totals(totals, time.monotonic() - begun)
    return int(bool(totals.findings))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, default=200, help="one in so many goes through a command; 0: none")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz-findings")
    return parser.parse_args()


# -- one process that reads ---------------------------------------------------------------------------------------


def _results(seed: int, first: int, end: int, folder: Path) -> Iterator[tuple[int, str, str]]:
    """Number, outcome and finding ("" if none) of each trial. A process that hangs or dies is replaced."""
    context = get_context("spawn")
    while first < end:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, seed, first, end, folder), daemon=True)
        process.start()
        theirs.close()
        patience = START
        try:
            while first < end:
                if not ours.poll(patience):
                    yield first, "hang", f"no answer within {patience:.0f} s"
                    break
                number, outcome, wrong = ours.recv()
                if outcome:  # the empty outcome says that the imports are done
                    yield number, outcome, wrong
                    first = number + 1
                patience = LONGEST
        except EOFError:
            process.join()
            yield first, "death", f"the process died (exit code {process.exitcode})"
        process.kill()
        process.join()
        first += 1


def _work(pipe: Connection, seed: int, first: int, end: int, folder: Path) -> None:
    from tests.support.fuzzing.trial import finding
    from tests.support.fuzzing.trials import make

    output = _capture(folder / "output")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEMORY,) * 2)
    pipe.send((first, "", ""))
    for number in range(first, end):
        place = folder / str(number)
        place.mkdir()
        outcome, wrong = finding(make(seed, number, place))
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used
        if more << 10 > LARGE:
            used, wrong = used + more, wrong or f"the file took {more >> 10:,} MB of memory"
        if printed := _new_output(output):
            wrong = wrong or f"a library printed {printed!r}"
        pipe.send((number, outcome, wrong))


def _capture(path: Path) -> Path:
    """Send what libraries print to a file."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    return path


def _new_output(path: Path) -> str:
    sys.stdout.flush()
    sys.stderr.flush()
    printed = path.read_text(errors="backslashreplace")
    os.truncate(path, 0)
    return printed


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


# -- whole commands -----------------------------------------------------------------------------------------------


def _try_command(totals: Totals, asked: argparse.Namespace, folder: Path, number: int) -> None:
    from tests.support.fuzzing.trials import make

    place = folder / f"{number}-command"
    place.mkdir()
    trial = make(asked.seed, number, place)
    environment = os.environ | {"FASTADV_HOME": str(folder / "home")}
    totals.commands += 1
    try:
        done = subprocess.run(
            [*FASTADV, *trial.command], capture_output=True, env=environment, stdin=subprocess.DEVNULL, timeout=COMMAND
        )
        wrong = _wrong_command(done)
    except subprocess.TimeoutExpired:
        wrong = f"the command did not end within {COMMAND:.0f} s"
    if wrong:
        _keep(totals, asked, place, f"{number}-command", f"{trial.what}: {' '.join(trial.command)}: {wrong}")
    shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree(f"{place}.out", ignore_errors=True)


def _wrong_command(done: "subprocess.CompletedProcess[bytes]") -> str:
    """What is wrong with the answer of a command, or ""."""
    said = done.stderr.decode(errors="backslashreplace")
    if done.returncode not in (0, 1, 2):
        return f"exit code {done.returncode}: {said}"
    if "Traceback" in said or "Warning" in said:
        return f"a traceback or a warning: {said}"
    lines = [line for line in said.splitlines() if not line.startswith("eps ")]  # `run` repeats the sizes it was given
    if done.returncode == 2 and len(lines) != 1:
        return f"a refusal of {len(lines)} lines: {said}"
    return "" if done.returncode == 0 or said.strip() else "a failure without a word"


# -- what was found -----------------------------------------------------------------------------------------------


def _record(totals: Totals, asked: argparse.Namespace, folder: Path, number: int, outcome: str, wrong: str) -> None:
    from tests.support.fuzzing.trials import kind_of, make

    place = folder / str(number)
    totals.outcomes[kind_of(number), outcome] += 1
    if wrong:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        _keep(totals, asked, place, str(number), f"{make(asked.seed, number, place).what}: {wrong}")
    shutil.rmtree(place, ignore_errors=True)


def _keep(totals: Totals, asked: argparse.Namespace, place: Path, name: str, wrong: str) -> None:
    """Move an input to the folder of findings."""
    totals.findings[name] = wrong
    kept = asked.keep / f"{asked.seed}-{name}"
    shutil.rmtree(kept, ignore_errors=True)
    place.rename(kept) if place.stat().st_dev == asked.keep.stat().st_dev else shutil.move(place, kept)
    with contextlib.suppress(OSError):
        (kept / "finding.txt").write_text(wrong, errors="backslashreplace")
    print(f"{name}: {wrong}"[:2000].encode(errors="backslashreplace").decode(), flush=True)


def _progress(done: int, count: int, totals: Totals, begun: float) -> None:
    line = f"{done:,} of {count:,} trials, {len(totals.findings)} findings, {time.monotonic() - begun:,.0f} s"
    if sys.stderr.isatty() or done == count or not done % 1000:
        print(f"\r{line:{WIDTH}}", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def _print_totals(totals: Totals, seconds: float) -> None:
    print()
    for kind in dict.fromkeys(kind for kind, _ in totals.outcomes):
        each = {outcome: count for (of, outcome), count in totals.outcomes.items() if of == kind}
        words = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(each.items(), key=lambda item: -item[1]))
        print(f"{kind}: {sum(each.values()):,} trials ({words})")
    print(f"{totals.commands} whole commands, {seconds:,.0f} s, {len(totals.findings)} findings")


if __name__ == "__main__":
    sys.exit(main())
