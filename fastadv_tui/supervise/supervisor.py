"""The small parent of one engine process: `python -P -m fastadv_tui.supervise.supervisor RUN_DIR`.

It waits for its slot, starts the engine, sees that a stop is obeyed, leaves nothing of the engine behind, and writes
down how it ended, as only a parent learns that. It knows nothing of the history, of torch, or of terminals.
"""

import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from engine.protocol.event_log import Writer, last
from engine.protocol.events import Note, Step
from engine.protocol.exit_code import ExitCode
from engine.protocol.provenance import code_fingerprint, engine_command
from engine.protocol.rundir import RunDir, Submission
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.out_of_memory import OomCounter
from fastadv_tui.supervise.process_identity import ProcessIdentity
from fastadv_tui.supervise.process_tree import become_reaper, die_with, kill_descendants
from fastadv_tui.supervise.queue import RunQueue, Slot, Ticket, devices_for
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord

TICK = 1.0  # seconds: nothing is looked at more often; signals and the engine's end wake it at once
PATIENCE = 120.0  # seconds in which a queued run bears a file system that fails
BATCHES_OF_GRACE = 3
EXIT_BUSY = 3  # the run is supervised already


class Supervisor:
    """One attempt of one run."""

    def __init__(self, rundir: RunDir, submission: Submission, command: Sequence[str]) -> None:
        self.rundir, self.submission, self.command = rundir, submission, command
        before = records.read(rundir.process, ProcessRecord)
        self.attempt = 1 + (before.attempt if before else 0)
        self.me = process_identity.me()
        self.events_before = rundir.events.stat().st_size if rundir.events.exists() else 0
        self.wake = _wake_on_signals(self._on_stop)
        self.signalled = self.killed = False
        self.asked: float | None = None  # when the engine was asked to stop, on the monotonic clock

    def announce(self) -> None:
        """From here on the run is queued. Raises: OSError."""
        self._write_process(None, "")

    def run(self, run_lock: int) -> ExitRecord:
        """Wait for a slot and run the engine; returns how it ended."""
        try:
            slot = self._wait_for_slot()
            if slot is None:
                return ExitRecord(attempt=self.attempt, t=time.time(), code=None, cancelled=True)
            self._say_if_code_changed()
            oom = OomCounter()
            engine = self._start(slot, run_lock)
        except (OSError, LookupError) as error:
            print(f"cannot start the engine: {error}", file=sys.stderr, flush=True)
            return ExitRecord(attempt=self.attempt, t=time.time(), code=None, error=str(error))
        os.close(slot.handle)  # the engine holds it from here: it is free when the engine has ended, not before
        code, usage = self._wait(engine.pid)
        engine.returncode = code  # reaped here, for its rusage
        kill_descendants(engine.pid)
        unheard = self.asked is not None and code == -signal.SIGTERM  # so early that the engine was not yet listening
        return ExitRecord(
            attempt=self.attempt,
            t=time.time(),
            code=code,
            killed=self.killed or unheard,
            out_of_memory=code == -signal.SIGKILL and not self.killed and oom.rose(),
            peak_memory=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
        )

    def record(self, how: ExitRecord) -> None:
        """On a full disk there is no record; the status is then told by the events and the dead processes."""
        try:
            records.write(self.rundir.exit, how)
        except OSError as error:
            print(f"cannot write {self.rundir.exit.name} ({error}): {how}", file=sys.stderr, flush=True)

    def _wait_for_slot(self) -> Slot | None:
        """A slot, or None if the run was cancelled meanwhile."""
        devices = devices_for(self.submission.config.device)
        line = RunQueue(self.rundir.path.parent.parent / "slots")
        place = line.join(Ticket(self.submission.submitted, self.rundir.id, devices))
        well = time.monotonic()
        try:
            while not self._asked_to_stop():
                try:
                    if (slot := place.try_slot(self.submission.slots)) is not None:
                        return slot
                    well = time.monotonic()
                except OSError:
                    if time.monotonic() - well > PATIENCE:
                        raise
                self._pause()
            return None
        finally:
            place.leave()

    def _say_if_code_changed(self) -> None:
        then, now = self.submission.code_fingerprint, code_fingerprint()
        if then and then != now:
            message = f"the engine's code has changed since this run was submitted ({then} then, {now} now)"
            with Writer(self.rundir.events) as writer:
                writer.write(Note(message=message))

    def _start(self, slot: Slot, run_lock: int) -> "subprocess.Popen[bytes]":
        with self.rundir.log.open("ab") as log:
            engine = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, **slot.environment()},
                pass_fds=(slot.handle, run_lock),
                process_group=0,
                preexec_fn=partial(die_with, self.me.pid),
            )
        try:
            self._write_process(process_identity.of(engine.pid), slot.device)
        except OSError:
            kill_descendants(engine.pid)  # nobody could tell that it is ours
            raise
        return engine

    def _write_process(self, engine: ProcessIdentity | None, device: str) -> None:
        record = ProcessRecord(
            attempt=self.attempt,
            supervisor=self.me,
            engine=engine,
            device=device,
            events_before=self.events_before,
        )
        records.write(self.rundir.process, record)

    def _wait(self, pid: int) -> tuple[int, resource.struct_rusage]:
        """The engine's exit code (negative: a signal) and what it used, once it has ended; kills it if it must."""
        while True:
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status), usage
            if self._asked_to_stop():
                if self.asked is None:
                    self.asked = time.monotonic()
                    if self.signalled:  # the engine looks for the file itself
                        os.kill(pid, signal.SIGTERM)
                if time.monotonic() - self.asked >= self._grace() and not self.killed:
                    self.killed = True
                    os.kill(pid, signal.SIGKILL)
            self._pause()

    def _asked_to_stop(self) -> bool:
        return self.signalled or self.rundir.stop_asked()

    def _grace(self) -> float:
        """Seconds from a stop to the kill: the configured ones, or three batches if those take longer."""
        if self.rundir.stop_now():
            return 0.0
        return max(self.submission.config.grace_seconds, BATCHES_OF_GRACE * _seconds_per_batch(self.rundir))

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self.signalled = True

    def _pause(self) -> None:
        """Sleep for a tick, or until a signal."""
        if select.select([self.wake], [], [], TICK)[0]:
            os.read(self.wake, 4096)


def _seconds_per_batch(rundir: RunDir) -> float:
    steps = last(rundir.events, Step)[-2:]
    if len(steps) < 2 or steps[1].step <= steps[0].step:
        return 0.0
    return (steps[1].elapsed - steps[0].elapsed) / (steps[1].step - steps[0].step)


def _wake_on_signals(on_stop: Callable[[int, FrameType | None], None]) -> int:
    """Route signals to handlers, and return a descriptor that becomes readable when one has come."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost terminal is none of our business
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_stop)
    return readable


def supervise(rundir: RunDir, command: Sequence[str], ready: Callable[[], None] = lambda: None) -> int:
    """Supervise one attempt of a run in this process; `ready` is called once the run is known to be queued."""
    run_lock = try_lock(rundir.lock)
    if run_lock is None:
        return EXIT_BUSY
    rundir.stop.unlink(missing_ok=True)  # it was meant for an earlier attempt
    become_reaper()
    supervisor = Supervisor(rundir, rundir.submission(), command)
    supervisor.announce()
    ready()
    how = supervisor.run(run_lock)
    os.close(run_lock)  # whoever reads the record may start the next attempt at once
    supervisor.record(how)
    return ExitCode.DONE


def main(arguments: Sequence[str]) -> int:
    """Detach from whoever started us; they wait only until the run is queued."""
    rundir = RunDir(Path(arguments[0]))
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return ExitCode.DONE if os.read(reader, 1) else os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or EXIT_BUSY
    os.close(reader)
    os.setsid()
    return supervise(rundir, engine_command(str(rundir.path)), lambda: _close(writer))


def _close(writer: int) -> None:
    os.write(writer, b"1")
    os.close(writer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
