"""Training beside a busy neighbour: `python -m tests.benchmarks.busy [--trials 3]`.

Trains on the digits, quiet and with a Python program that keeps one core busy. The threads of OpenMP wait in three
ways: they spin shortly and then sleep, as fastadv has it; they sleep at once; they spin on. Prints the seconds of
training and the ratios. Exits with 1 if a busy run of fastadv takes more than LIMIT times as long as a quiet one.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.runtime.openmp import WAITING
from tests.benchmarks.dashboard import home

LIMIT = 2.5  # times the quiet run
RUN = [sys.executable, "-P", "-m", "fastadv_tui", "run", "digits", "--epochs", "2", "--eval", "none", "--json"]
POLICIES = {
    "spin shortly, as fastadv has it": {},
    "sleep at once": {"OMP_WAIT_POLICY": "PASSIVE"},
    "spin on": {"OMP_WAIT_POLICY": "ACTIVE"},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=3)
    trials = parser.parse_args().trials
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.python_version()}, {time.strftime('%Y-%m-%d')}")
    ours, *_ = [measure(name, policy, trials) for name, policy in POLICIES.items()]
    return 1 if ours > LIMIT else 0


def measure(name: str, policy: dict[str, str], trials: int) -> float:
    """Print the medians of quiet and busy runs, which take turns. Returns busy over quiet."""
    quiet, busy = [], []
    for _ in range(trials):
        quiet.append(seconds(policy))
        with neighbour():
            busy.append(seconds(policy))
    one, other = statistics.median(quiet), statistics.median(busy)
    print(f"waiting threads {name}: {one:.1f} s quiet, {other:.1f} s beside a busy core, {other / one:.1f} times")
    return other / one


def seconds(policy: dict[str, str]) -> float:
    """Seconds of training of one run, from its first event to its last."""
    environment = {key: value for key, value in os.environ.items() if key not in WAITING}
    with home():
        environment |= policy | {"FASTADV_HOME": os.environ["FASTADV_HOME"]}
        done = subprocess.run(RUN, check=True, capture_output=True, env=environment)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return float(events[-1]["elapsed"])


@contextmanager
def neighbour() -> Iterator[None]:
    """A program that keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
