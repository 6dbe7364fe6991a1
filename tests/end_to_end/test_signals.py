"""Signals at any moment of a command, its imports and its end included: the signal's exit code, and no traceback."""

import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fastadv_tui.paths import runs_dir
from tests.support.runs import make_run
from tests.support.waiting import seconds

# A moment is a number of calls of Python functions, so that it is the same on every machine.
PROGRAM = """
import atexit, os, sys
number, moment = map(int, sys.argv[1:3])
del sys.argv[1:3]
sys.argv[0], calls = "fastadv", 0
def count(frame, event, argument):
    global calls
    calls += event == "call"
    if calls == moment and event == "call":
        os.kill(os.getpid(), number)
from fastadv_tui.__main__ import main
if not moment:
    atexit.register(lambda: print(calls))
sys.setprofile(count)
main()
"""
COMMANDS = (["runs"], ["show", "a1"], ["settings"], ["tag", "a1", "x"], ["--help"])
MOMENTS = 6  # of each command


def _heed_signals() -> None:
    """The tests may run as a background job or under nohup, whose children ignore these signals."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def _run(home: Path) -> None:
    make_run(runs_dir() / "a1")


def run(words: Sequence[str], number: int, moment: int) -> "subprocess.CompletedProcess[str]":
    """Run a command that gets a signal at a moment; at moment 0, none. Its exit code is as a shell shows it."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, str(number), str(moment), *words],
        capture_output=True,
        text=True,
        timeout=seconds(30),
        preexec_fn=_heed_signals,
    )
    done.returncode = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return done


@pytest.mark.usefixtures("_run")
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_ctrl_c_at_any_moment_prints_nothing(words: list[str]) -> None:
    run(words, signal.SIGINT, 0)  # the first command in a home makes the history, which takes calls that others do not
    whole, again = (run(words, signal.SIGINT, 0) for _ in range(2))
    assert whole.returncode == 0, whole.stderr
    calls = min(int(done.stdout.splitlines()[-1]) for done in (whole, again))  # more calls wait for a busy machine
    moments = sorted(random.Random(16).sample(range(2, calls), MOMENTS))
    for moment in moments:
        done = run(words, signal.SIGINT, moment)
        assert (done.returncode, done.stderr) in ((130, ""), (0, whole.stderr)), (moment, done.stderr)
        assert done.returncode == 130 or moment > 0.9 * calls, moment


@pytest.mark.usefixtures("_run")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_other_signals_end_a_command_with_their_exit_code(number: signal.Signals) -> None:
    done = run(["runs"], number, 500)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")
