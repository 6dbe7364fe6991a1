"""An engine that is started before its run, so that torch is loaded once: for the check and for the training."""

import signal
import socket
import subprocess
import sys
from contextlib import suppress

import msgspec

from engine.config.run import RunConfig
from engine.protocol.handover import send
from engine.protocol.requests import ON_GPU, Checked
from engine.protocol.rundir import RunDir
from fastadv_tui.runs.engine_client import EngineError, read_answer
from fastadv_tui.supervise import keeper
from fastadv_tui.supervise.queue import FullTicket
from fastadv_tui.supervise.slots import Slot, takes_gpu
from fastadv_tui.supervise.warm import Begin


class WarmEngine:
    """The supervisor and the engine of a run that does not exist yet.

    Enter it, `check` the run, create and submit the run, and leave. Whoever starts the run gives it to the engine by
    `supervise`. An engine that has no run then, for example because the run has to wait in the queue, ends.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._connection, self._theirs = socket.socketpair()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "WarmEngine":
        return self

    def __exit__(self, *_: object) -> None:
        """End the engine, unless it has a run."""
        self._connection.close()
        self._theirs.close()
        if self._process is not None:
            self._process.wait()

    def check(self) -> Checked:
        """Have the engine check the data and the device. The engine downloads the data if they are missing.

        Raises: UserError, if the run could not start; EngineError.
        """
        self._process = process = self._start([ON_GPU] if takes_gpu(self._config.device) else [])
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError), process.stdin as pipe:  # a dead engine: it gives no answer
            pipe.write(msgspec.json.encode(self._config))
        with process.stdout as pipe:
            return read_answer("check", Checked, pipe.read(), process.wait)

    def _start(self, arguments: list[str]) -> "subprocess.Popen[bytes]":
        """Start the supervisor. A Ctrl-C reaches all processes of the terminal, but only this one must obey."""
        handle = self._theirs.fileno()
        words = [sys.executable, "-P", "-m", "fastadv_tui.supervise.warm", str(handle), *arguments]
        old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # the supervisor inherits the block
        try:
            return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", pass_fds=(handle,))
        except OSError as error:  # no more processes are allowed, or there is no memory for a new process
            raise EngineError(f"cannot start the engine: {error}") from None
        finally:
            self._theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)

    def supervise(self, run: RunDir) -> keeper.StartSupervisor:
        """How to start the supervisors of runs, of which `run` is the one that was checked."""

        def start(rundir: RunDir, ticket: FullTicket, slot: Slot) -> int:
            if rundir.path != run.path or not self._begin(rundir, ticket, slot):
                return keeper.start_supervisor(rundir, ticket, slot)
            assert self._process is not None
            return self._process.wait()

        return start

    def _begin(self, rundir: RunDir, ticket: FullTicket, slot: Slot) -> bool:
        """Give the run to the engine. False if the engine has ended."""
        begin = Begin(folder=str(rundir.path), attempt=ticket.attempt, device=slot.device)
        try:
            send(self._connection, begin, [slot.handle])
        except OSError:
            return False
        return True
