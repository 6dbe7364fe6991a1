"""The supervisor, the small parent process of one engine.

`python -P -m fastadv_tui.supervise.supervisor RUN_DIR ATTEMPT DEVICE SLOT` supervises one attempt of a run; SLOT is an
open file descriptor that holds a slot of the device. The supervisor starts the engine, enforces stop requests, kills
all descendants of the engine, and records how the engine ended, because only a parent process learns the exit code.
Then it starts the next run of the queue. It does not depend on the history, on torch or on a terminal.
"""

import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from engine.protocol.event_log import Writer, last, newest
from engine.protocol.events import COMPILING, Note, Starting, Step
from engine.protocol.exit_code import ExitCode
from engine.protocol.provenance import code_fingerprint, combined_fingerprint, engine_command
from engine.protocol.rundir import RunDir, SubmissionError
from engine.protocol.submission import Submission
from fastadv_tui.paths import HOME
from fastadv_tui.supervise import keeper, process_identity, records
from fastadv_tui.supervise.detach import Starter, detach
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.notices import Notices
from fastadv_tui.supervise.out_of_memory import OomCounter
from fastadv_tui.supervise.process_identity import ProcessIdentity
from fastadv_tui.supervise.process_tree import adopt_orphans, end_with_parent, kill_descendants
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord
from fastadv_tui.supervise.slots import Slot

TICK = 1.0  # seconds between checks; signals and the end of the engine wake the supervisor at once
MIN_GRACE_BATCHES = 3  # the grace period lasts at least as long as so many minibatches
Engine = subprocess.Popen[bytes]
# The number is the handle of the lock of the run; then come variables for the environment of the engine.
StartEngine = Callable[[RunDir, Slot, int, Mapping[str, str]], Engine]


class Supervisor:
    """One attempt of one run, on the device of a slot that this process holds."""

    def __init__(
        self, rundir: RunDir, submission: Submission, attempt: int, slot: Slot, start_engine: StartEngine
    ) -> None:
        self.rundir, self.submission, self._start_engine = rundir, submission, start_engine
        self.attempt, self.slot = attempt, slot
        self.me = process_identity.me()
        self.events_before = rundir.events.stat().st_size if rundir.events.exists() else 0
        self.wakeup = _wake_on_signals(self._on_stop)
        self.notices = Notices(rundir)
        self.signalled = self.killed = False
        self.stop_seen_at: float | None = None  # when the stop request was seen, on the monotonic clock

    def announce(self) -> None:
        """Write `process.json`: from now on the run is no longer one that waits in the queue. Raises: OSError."""
        self._write_process(None, "")

    def run(self, run_lock: int) -> ExitRecord:
        """Run the engine. Returns how the attempt ended."""
        if self._asked_to_stop():
            return ExitRecord(attempt=self.attempt, t=time.time(), code=None, cancelled=True)
        try:
            self._note_changed_code()
            oom = OomCounter()
            engine = self._start(run_lock)
        except OSError as error:
            print(f"cannot start the engine: {error}", file=sys.stderr, flush=True)
            return ExitRecord(attempt=self.attempt, t=time.time(), code=None, error=str(error))
        os.close(
            self.slot.handle
        )  # from here on only the engine holds the slot: the slot is free when the engine has ended
        code, usage = self._wait(engine.pid)
        engine.returncode = code  # `_wait` has reaped the engine to get its resource usage
        kill_descendants(engine.pid, spare=self.notices.pids)
        # SIGTERM ends the engine only before the engine listens for signals
        stopped_early = self.stop_seen_at is not None and code == -signal.SIGTERM
        return ExitRecord(
            attempt=self.attempt,
            t=time.time(),
            code=code,
            killed=self.killed or stopped_early,
            out_of_memory=code == -signal.SIGKILL and not self.killed and oom.increased(),
            peak_memory=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
        )

    def record(self, ending: ExitRecord) -> None:
        """Write `exit.json`. On a full disk there is no record: the events and the dead processes tell the status."""
        try:
            records.write_exit(self.rundir.exit, ending)
        except OSError as error:
            print(f"cannot write {self.rundir.exit.name} ({error}): {ending}", file=sys.stderr, flush=True)

    def _note_changed_code(self) -> None:
        """Say what has changed since the run was submitted: the engine's code, and the user's, which is only read."""
        model = self.submission.config.model
        then, now = self.submission.code_fingerprint, combined_fingerprint(code_fingerprint(), model.code)
        notes = []
        if then and then != now:
            notes.append(f"the engine's code has changed since this run was submitted ({then} then, {now} now)")
        if model.user_code is not None and model.code and not self.rundir.request.exists():
            notes.append(model.user_code.change_note(model.code))
        with Writer(self.rundir.events) as writer:
            for message in filter(None, notes):
                writer.write(Note(message=message))

    def _start(self, run_lock: int) -> Engine:
        engine = self._start_engine(self.rundir, self.slot, run_lock, self._environment())
        try:
            self._write_process(process_identity.of(engine.pid), self.slot.device)
        except OSError:
            kill_descendants(engine.pid)  # without its record nobody would know that this process is the engine
            raise
        return engine

    def _environment(self) -> dict[str, str]:
        """What the environment of the engine tells: its device, its share of the host, and the home of the run."""
        return self.slot.environment(self.submission.slots) | {HOME: str(self.rundir.path.parent.parent)}

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
        """Wait for the engine's end; kill the engine after the grace period of a stop request.

        The period counts from the end of a compilation.

        Returns: the exit code, negative for a signal, and the resource usage.
        """
        while True:
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status), usage
            if self._asked_to_stop():
                first = self.stop_seen_at is None
                if self.stop_seen_at is None or self._compiling():  # which takes minutes, and cannot be interrupted
                    self.stop_seen_at = time.monotonic()
                if first and self.signalled:  # the engine checks for the stop file itself: only a signal is passed on
                    os.kill(pid, signal.SIGTERM)
                if time.monotonic() - self.stop_seen_at >= self._grace() and not self.killed:
                    self.killed = True
                    os.kill(pid, signal.SIGKILL)
            self.notices.look()
            self._pause()

    def _asked_to_stop(self) -> bool:
        return self.signalled or self.rundir.stop_asked()

    def _compiling(self) -> bool:
        """Whether the engine compiles the network now. It looks for a stop as soon as that is done."""
        newest_event = newest(self.rundir.events, self.events_before)
        return isinstance(newest_event, Starting) and newest_event.phase == COMPILING

    def _grace(self) -> float:
        """Seconds from a stop request to the kill: the configured period, or three minibatches if these take longer."""
        if self.rundir.stop_now():
            return 0.0
        return max(self.submission.config.grace_seconds, MIN_GRACE_BATCHES * _seconds_per_batch(self.rundir))

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self.signalled = True

    def _pause(self) -> None:
        """Sleep for TICK seconds or until a signal comes."""
        if select.select([self.wakeup], [], [], TICK)[0]:
            os.read(self.wakeup, 4096)


def _seconds_per_batch(rundir: RunDir) -> float:
    steps = last(rundir.events, Step)[-2:]
    if len(steps) < 2 or steps[1].step <= steps[0].step:
        return 0.0
    return (steps[1].elapsed - steps[0].elapsed) / (steps[1].step - steps[0].step)


def _wake_on_signals(on_stop: Callable[[int, FrameType | None], None]) -> int:
    """Install the signal handlers. Returns a file descriptor that becomes readable when a signal has come."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the run goes on when its terminal is closed
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_stop)
    return readable


def start_engine(rundir: RunDir, slot: Slot, run_lock: int, environment: Mapping[str, str]) -> Engine:
    """Start the engine of a run, which inherits the locks of its slot and of its run. Raises: OSError.

    environment: variables in addition to those of this process.
    """
    with rundir.log.open("ab") as log:
        return subprocess.Popen(
            engine_command(str(rundir.path)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, **environment},
            pass_fds=(slot.handle, run_lock),
            process_group=0,
            preexec_fn=partial(end_with_parent, os.getpid()),
        )


def supervise(rundir: RunDir, attempt: int, slot: Slot, start: StartEngine, starter: Starter) -> int:
    """Supervise one attempt of a run in this process, and start the next run of the queue then.

    starter: is told once the run is under way. Returns: the exit code of the supervisor.
    """
    code = _supervise(rundir, attempt, slot, start, starter.tell)
    if starter.told:  # else the starter still waits for this process, and holds the lock of the queue
        keeper.hand_over(RunQueue(rundir.path.parent.parent / "slots"))
    return code


def _supervise(rundir: RunDir, attempt: int, slot: Slot, start: StartEngine, ready: Callable[[], None]) -> int:
    run_lock = try_lock(rundir.lock)
    if run_lock is None:
        return keeper.EXIT_BUSY
    if keeper.begun(rundir, attempt):  # somebody who was killed had started this attempt already
        return ExitCode.DONE
    try:
        submission = rundir.submission()
    except SubmissionError as error:
        print(error, file=sys.stderr, flush=True)
        return ExitCode.REFUSED
    adopt_orphans()
    supervisor = Supervisor(rundir, submission, attempt, slot, start)
    supervisor.announce()
    ready()
    ending = supervisor.run(run_lock)
    os.close(run_lock)  # before the record: a reader of the record may start the next attempt at once
    supervisor.record(ending)
    supervisor.notices.ended()
    return ExitCode.DONE


def main(arguments: Sequence[str]) -> int:
    """Detach the supervisor from the process that started it. The starter waits only until the run is under way."""
    folder, attempt, device, handle = arguments
    rundir, slot = RunDir(Path(folder)), Slot(device, int(handle))
    os.set_inheritable(slot.handle, False)  # the engine inherits the slot by name
    return supervise(rundir, int(attempt), slot, start_engine, detach())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
