"""Messages with open files between a supervisor and an engine that waits for its run."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine.protocol.handover import GoAhead, receive, send, wait_for_run
from engine.protocol.rundir import RunDir
from fastadv_tui.supervise.locks import try_lock

GO = GoAhead(folder="/runs/ä", environment={"FASTADV_DEVICE": "cuda"})
WAITING = """
import sys
from engine.protocol.handover import wait_for_run
from engine.protocol.streams import release_questions
print("an answer", flush=True)
release_questions()
rundir = wait_for_run(int(sys.argv[1]))
if rundir is None:
    sys.exit(7)
import os
print("device", os.environ["FASTADV_DEVICE"], flush=True)
os.system(f"echo from a child of {rundir.id}")
sys.stderr.write("the end")
"""


def test_a_message_brings_open_files_along(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    handle = try_lock(tmp_path / "lock")
    assert handle is not None
    with ours, theirs:
        send(ours, GO, [handle])
        received = receive(theirs, GoAhead)
    assert received is not None
    go, (copy,) = received
    assert go == GO
    os.close(handle)
    assert try_lock(tmp_path / "lock") is None  # the copy holds the lock
    os.close(copy)
    assert try_lock(tmp_path / "lock") is not None


def test_a_closed_connection_brings_no_message_and_takes_none() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        assert receive(ours, GoAhead) is None
        with pytest.raises(OSError, match="Broken pipe"):
            send(ours, GO, [])


def waiting() -> tuple["subprocess.Popen[bytes]", socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        words = [sys.executable, "-c", WAITING, str(theirs.fileno())]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, pass_fds=[theirs.fileno()])
    assert process.stdout is not None
    with process.stdout as pipe:
        assert pipe.read() == b"an answer\n"  # the output ends, and the process goes on
    return process, ours


def test_a_process_that_waits_gets_its_run_its_device_and_its_log(tmp_path: Path) -> None:
    process, connection = waiting()
    rundir = RunDir(tmp_path)
    rundir.log.write_text("before\n")
    with connection:
        send(connection, GoAhead(folder=str(tmp_path), environment={"FASTADV_DEVICE": "cuda"}), [])
    assert process.wait() == 0
    assert rundir.log.read_text().splitlines() == [
        "before", "device cuda", f"from a child of {rundir.id}", "the end",
    ]  # fmt: skip


def test_a_process_that_gets_no_run_knows_it() -> None:
    process, connection = waiting()
    connection.close()
    assert process.wait() == 7


def test_waiting_in_this_process_ends_with_the_connection() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    assert wait_for_run(theirs.detach()) is None
