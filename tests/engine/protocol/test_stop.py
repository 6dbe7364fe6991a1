"""Requests to stop that come while Python ends, after Python has removed its signal handlers."""

import signal
import subprocess
import sys

import pytest

from tests.support.engine import ROOT

# Python deletes the objects of a module after it has removed the signal handlers. Late.__del__ sends a signal then.
LATE = """
import os, sys
from engine.protocol.stop import StopRequest, ignore_stops

class Late:
    def __init__(self):
        self.send, self.process, self.number = os.kill, os.getpid(), int(sys.argv[1])
    def __del__(self):
        self.send(self.process, self.number)

late = Late()
stop = StopRequest()
if "ignored" in sys.argv:
    ignore_stops()
sys.exit(130)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ignored", [True, False])
def test_a_stop_while_python_ends_changes_the_exit_code_unless_it_is_ignored(number: int, ignored: bool) -> None:
    words = [sys.executable, "-c", LATE, str(int(number)), *(["ignored"] if ignored else [])]
    assert subprocess.run(words, cwd=ROOT).returncode == (130 if ignored else -number)
