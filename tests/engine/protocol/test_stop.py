"""Requests to stop, at the moments at which Python itself would not hear them."""

import signal
import subprocess
import sys

import pytest

from tests.support.engine import ROOT

# A module's objects are deleted after Python has taken the signal handlers away.
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
