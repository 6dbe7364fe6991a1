"""A supervisor whose engine is started before there is a run.

`python -P -m fastadv_tui.supervise.warm CONNECTION [gpu]` starts the engine, which answers the check of a run on the
standard input and output of this process, and waits. Who has asked makes the run directory, and sends its name and the
slot on CONNECTION, the handle of a socket. Then this process goes on as the supervisor of the run, and its engine as
the engine of the run. Both end if the connection closes before that, and if the check refuses the run.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from engine.protocol.exit_code import ExitCode
from engine.protocol.handover import GoAhead, receive, send
from engine.protocol.provenance import engine_command
from engine.protocol.rundir import RunDir
from engine.protocol.streams import release_questions, write_to_log
from fastadv_tui.supervise.detach import detach
from fastadv_tui.supervise.process_tree import adopt_orphans, end_with_parent, kill_descendants
from fastadv_tui.supervise.slots import Slot
from fastadv_tui.supervise.supervisor import Engine, supervise


class Begin(Struct, frozen=True, kw_only=True):
    """To a supervisor that waits: the attempt of a run, and the device of its slot. The slot's lock comes with it."""

    folder: str
    attempt: int
    device: str


class WaitingEngine:
    """An engine that answers a check and waits for its run. `connection` becomes readable when the engine has ended."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start the engine on the standard input and output of this process. Raises: OSError."""
        self.connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                engine_command("--warm", str(theirs.fileno()), *arguments),
                cwd="/",
                pass_fds=(theirs.fileno(),),
                process_group=0,
                preexec_fn=partial(end_with_parent, os.getpid()),
            )

    def start(self, rundir: RunDir, slot: Slot, run_lock: int, environment: Mapping[str, str]) -> Engine:
        """As `start_engine` of the supervisor. Raises: OSError, if the engine has ended."""
        go = GoAhead(folder=str(rundir.path), environment=dict(environment))
        send(self.connection, go, [slot.handle, run_lock])
        return self._process

    def end(self) -> None:
        """Kill the engine, unless it has ended."""
        if self._process.poll() is None:
            kill_descendants(self._process.pid)

    def exit_code(self) -> int:
        """Wait for the end of an engine that ends by itself. After a signal, the code is that of a shell."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code


def main(arguments: Sequence[str]) -> int:
    """Returns: the exit code of the engine, if it ends before there is a run; else as the supervisor does."""
    connection, starter = socket.socket(fileno=int(arguments[0])), detach()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    adopt_orphans()
    engine = WaitingEngine(arguments[1:])
    release_questions()
    readable, _, _ = select.select([connection, engine.connection], [], [])
    if engine.connection in readable:
        return engine.exit_code()
    try:
        if (received := receive(connection, Begin)) is None:
            return ExitCode.STOPPED
        begin, (handle,) = received
        connection.close()
        rundir = RunDir(Path(begin.folder))
        write_to_log(rundir.log)
        return supervise(rundir, begin.attempt, Slot(begin.device, handle), engine.start, starter)
    finally:
        engine.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
