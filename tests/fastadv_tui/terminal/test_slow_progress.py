"""A command that is over soon says nothing; a slow one says how far it is."""

import sys
from io import StringIO

import pytest

from fastadv_tui.terminal import slow_progress
from fastadv_tui.terminal.slow_progress import PATIENCE, SlowProgress


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(slow_progress, "time", found)
    return found


def test_nothing_is_said_before_two_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with SlowProgress("packing") as progress:
        clock.now = PATIENCE - 0.1
        for done in range(0, 1001, 100):
            progress(done * 10**6, 10**9)
    assert capsys.readouterr().err == ""


def test_a_pipe_gets_a_line_every_tenth_of_the_way(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with SlowProgress("packing") as progress:
        clock.now = PATIENCE
        for done in range(250, 1001, 10):
            progress(done * 10**6, 10**9)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"packing {percent}% of 1.0 GB" for percent in range(20, 101, 10)]


def test_a_terminal_gets_one_line_that_goes_at_the_end(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with SlowProgress("packing") as progress:
        clock.now = PATIENCE
        progress(500, 1000)
        progress(501, 1000)
    assert terminal.getvalue() == "\rpacking 50% of 1 kB\r\x1b[K"
