"""A Ctrl-C while msgspec learns a type is not lost."""

import signal
import subprocess
import sys

import pytest

# At each call of a Python function below msgspec, the program sends itself a SIGINT. Without a wait, C code loses some.
PROGRAM = """
import os, signal, sys
from engine.config.typed import convert, decode
from engine.protocol.submission import Submission
moment, calls = int(sys.argv[1]), 0
def count(frame, event, argument):
    global calls
    calls += event == "call"
    if calls == moment and event == "call":
        os.kill(os.getpid(), signal.SIGINT)
sys.setprofile(count)
try:
    {work}
except KeyboardInterrupt:
    sys.exit(130)
sys.setprofile(None)
print(calls)
"""
DECODE = 'decode(b"[]", list[Submission])'
CONVERT = 'convert({"a": [1]}, dict[str, list[float] | None])'


def _run(work: str, moment: int) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-P", "-c", PROGRAM.format(work=work), str(moment)]
    heed = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    return subprocess.run(words, capture_output=True, text=True, preexec_fn=heed)


@pytest.mark.parametrize("work", [DECODE, CONVERT], ids=["decode", "convert"])
def test_an_interrupt_while_a_type_is_met_for_the_first_time_is_raised(work: str) -> None:
    whole = _run(work, 0)
    assert whole.returncode == 0, whole.stderr
    calls = int(whole.stdout)
    moments = range(1, calls, max(1, calls // 12))
    assert [_run(work, moment).returncode for moment in moments] == [130] * len(moments)
