"""The tests clean up behind themselves: small sessions of pytest that end in every way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.processes import ROOT, TOKEN, with_token
from tests.support.runs import gone
from tests.support.waiting import seconds, wait_until

STAND_IN = """
    from tests.support.runs import FAKE, engine_pid, submit, supervisor_pid
    from tests.support.waiting import wait_until
    monkeypatch.setenv("PYTHONPATH", str(FAKE))
    rundir = submit("family deaf forever", grace=600)
    children = wait_until(lambda: (rundir.path / "children").exists() and (rundir.path / "children").read_text())
    pids = [engine_pid(rundir), supervisor_pid(rundir), *map(int, children.split())]
"""
COMMAND_LINE = """
    from tests.support.runs import engine_pid, supervisor_pid
    from tests.support.shell import LONG, fastadv, wait_for_steps
    assert fastadv("run", "digits", *LONG, "--detach").returncode == 0
    rundir = wait_for_steps(home)
    pids = [engine_pid(rundir), supervisor_pid(rundir)]
"""
TEST = """
import os, signal, subprocess, time
from pathlib import Path

def test_inner(home, monkeypatch):
{start}
    Path({pids!r}).write_text(" ".join(map(str, pids)))
    {end}
"""


class Session:
    """A session of pytest with one test that starts a run without an end."""

    def __init__(self, folder: Path, end: str, *options: str, start: str = STAND_IN) -> None:
        test, self._pids = folder / "test_inner.py", folder / "pids"
        test.write_text(TEST.format(start=start, pids=str(self._pids), end=end))
        command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c"]
        command += ["pyproject.toml", *(options or ("-n0",)), f"--basetemp={folder / 'temp'}", str(test)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def pids(self) -> list[int]:
        """Of the processes that the test started, once they run."""
        wait_until(lambda: self._pids.exists() and self._pids.read_text(), timeout=60)
        return [int(pid) for pid in self._pids.read_text().split()]

    def output(self) -> str:
        """What the session prints until it ends."""
        return self.process.communicate(timeout=seconds(60))[0]


def assert_nothing_left(session: Session) -> None:
    assert len(session.pids()) >= 2
    wait_until(lambda: all(gone(pid) for pid in session.pids()))
    wait_until(lambda: not with_token(os.environ[TOKEN]))


@pytest.mark.parametrize(
    "end",
    [
        pytest.param("subprocess.run(['sleep', '600'], timeout=seconds(0.1))", id="TimeoutExpired"),
        pytest.param("raise KeyboardInterrupt", id="KeyboardInterrupt"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", id="SIGKILL"),
    ],
)
def test_a_run_that_a_failing_test_started_is_gone_with_the_test(tmp_path: Path, end: str) -> None:
    session = Session(tmp_path, end)
    session.output()
    assert session.process.returncode != 0
    assert_nothing_left(session)


def test_a_run_of_the_real_engine_is_gone_when_the_test_that_started_it_has_failed(tmp_path: Path) -> None:
    session = Session(tmp_path, "assert False", start=COMMAND_LINE)
    assert "1 failed" in session.output()
    assert_nothing_left(session)


def test_a_passing_test_fails_if_it_leaves_a_process_and_the_command_line_is_said(tmp_path: Path) -> None:
    session = Session(tmp_path, "pass")
    output = session.output()
    assert "1 passed, 1 error" in output
    assert "left processes behind" in output
    assert "-m fastadv_tui.supervise" in output
    assert_nothing_left(session)


def test_a_run_is_gone_when_its_worker_of_xdist_is_killed(tmp_path: Path) -> None:
    session = Session(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)", "-n1", "--max-worker-restart=0")
    assert "crashed" in session.output()
    assert_nothing_left(session)


def test_a_run_is_gone_when_pytest_is_killed_above_its_worker_of_xdist(tmp_path: Path) -> None:
    session = Session(tmp_path, "time.sleep(600)", "-n1")
    assert all(psutil.pid_exists(pid) for pid in session.pids())
    os.kill(session.process.pid, signal.SIGKILL)
    session.output()
    assert_nothing_left(session)
