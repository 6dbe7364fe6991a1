"""Process trees are killed completely, and the kernel's counter shows out-of-memory kills."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastadv_tui.supervise import out_of_memory
from fastadv_tui.supervise.out_of_memory import OomCounter
from tests.support.runs import gone
from tests.support.waiting import wait_until

TREE = """
import subprocess, sys
from fastadv_tui.supervise.process_tree import adopt_orphans, kill_descendants
adopt_orphans()
child = "import os, subprocess, sys, time; print(os.getpid(), flush=True);" + (
    "subprocess.Popen([sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(600)'],"
    "start_new_session=True); time.sleep(600)")
middle = subprocess.Popen([sys.executable, "-c", child], process_group=0)
sys.stdin.readline()
kill_descendants(middle.pid)
middle.returncode = 0
print("killed", flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process take over its orphans")
@pytest.mark.parametrize("orphaned", [False, True], ids=["whole", "orphaned"])
def test_grandchildren_in_sessions_of_their_own_are_killed_and_reaped(orphaned: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as top:
        assert top.stdin is not None
        assert top.stdout is not None
        child, grandchild = int(top.stdout.readline()), int(top.stdout.readline())
        if orphaned:
            os.kill(child, signal.SIGKILL)
            wait_until(lambda: gone(child))
        top.stdin.write("\n")
        top.stdin.flush()
        assert top.stdout.readline() == "killed\n"
        assert not Path(f"/proc/{child}").exists()
        assert not Path(f"/proc/{grandchild}").exists()
        top.stdin.write("\n")


def test_the_out_of_memory_counter_reads_the_file_of_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 7\noom_kill 1\noom_group_kill 0\n")
    monkeypatch.setattr(out_of_memory, "_own_cgroup", lambda: events)
    counter = OomCounter()
    assert not counter.increased()
    events.write_text("low 0\noom 9\noom_kill 2\noom_group_kill 0\n")
    assert counter.increased()


def test_no_out_of_memory_is_reported_without_a_counter_of_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out_of_memory, "_own_cgroup", lambda: tmp_path / "missing")
    assert not OomCounter().increased()
