"""Starts queued runs when slots are free: `python -P -m fastadv_tui.supervise.keeper SLOTS_FOLDER` keeps one queue.

Three kinds of processes start queued runs: who submits a run, a supervisor whose run has ended, and the keeper. There
is at most one keeper on a host. It starts with the first run that has to wait and ends when no run waits. If it dies,
nothing is lost: the next command, dashboard or ending supervisor starts another one.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from engine.protocol.exit_code import ExitCode
from engine.protocol.rundir import RunDir
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.detach import detach
from fastadv_tui.supervise.keeper_life import keeper_alive, record_path
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.notices import Notices
from fastadv_tui.supervise.queue import FullTicket, RunQueue, Ticket
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord
from fastadv_tui.supervise.slots import Slot, free_slot

EXIT_BUSY = 3  # exit code of a supervisor if processes of the run's previous attempt still live
TICK = 1.0  # seconds between two looks at the slots
BEAT = 10.0  # seconds between two signs of life, which other hosts see
StartSupervisor = Callable[[RunDir, FullTicket, Slot], int]  # as `start_supervisor`


def start_runs(queue: RunQueue, supervise: StartSupervisor | None = None) -> int:
    """Start every run whose turn it is and whose device has a free slot. Returns the number of runs that still wait.

    A run never overtakes an earlier run that may take the same device. supervise: in place of `start_supervisor`.
    Raises: OSError.
    """
    with queue.locked():
        if queue.paused:
            return len(queue.waiting())
        reserved: set[str] = set()
        for ticket in queue.waiting():
            slot = _slot_for(queue, ticket, reserved)
            if slot is None:
                reserved.update(ticket.devices)
            else:
                _start(queue, ticket, slot, supervise or start_supervisor)
        return len(queue.waiting())


def hand_over(queue: RunQueue) -> None:
    """Start the next runs, and a keeper if some must wait. A file system that fails leaves this to the next caller."""
    with suppress(OSError):
        if queue.waiting() and start_runs(queue):
            revive(queue)


def revive(queue: RunQueue) -> None:
    """Start a keeper if runs wait on this host and none is alive. Raises: OSError."""
    if queue.waiting() and not keeper_alive(queue):
        command = [sys.executable, "-P", "-m", "fastadv_tui.supervise.keeper", str(queue.slots.parent)]
        nothing = subprocess.DEVNULL
        subprocess.run(command, cwd="/", stdin=nothing, stdout=nothing, stderr=nothing)


def _slot_for(queue: RunQueue, ticket: Ticket, reserved: set[str]) -> Slot | None:
    for device in ticket.devices:
        if device not in reserved and (slot := free_slot(queue.slots, device, ticket.slots)) is not None:
            return slot
    return None


def _start(queue: RunQueue, ticket: Ticket, slot: Slot, supervise: StartSupervisor) -> None:
    """Start the supervisor of a run, which inherits the slot, and take the run out of the queue."""
    rundir = RunDir(queue.home / ticket.folder / ticket.id)
    try:
        full = queue.full_ticket(ticket.id)
        if full is None or not rundir.path.exists() or begun(rundir, ticket.attempt):
            queue.remove(ticket.id)
            return
        try:
            code = supervise(rundir, full, slot)
            problem = f"its supervisor ended with exit code {code}; see engine.log" if code else ""
        except OSError as error:  # the interpreter is gone, or the log cannot be written
            code, problem = ExitCode.REFUSED, str(error)
        if code == EXIT_BUSY:  # a process of the previous attempt still ends
            return
        if problem:
            failed = ExitRecord(attempt=ticket.attempt, t=time.time(), code=None, error=problem)
            records.write_exit(rundir.exit, failed)
            Notices(rundir).ended()  # there is no supervisor that could tell
        queue.remove(ticket.id)
    finally:
        os.close(slot.handle)


def begun(rundir: RunDir, attempt: int) -> bool:
    """Whether the attempt has begun or ended. Its ticket is left over from a process that was killed."""
    process, ended = records.read(rundir.process, ProcessRecord), records.read(rundir.exit, ExitRecord)
    return any(record is not None and record.attempt >= attempt for record in (process, ended))


def start_supervisor(rundir: RunDir, ticket: FullTicket, slot: Slot) -> int:
    """Start the supervisor of a run, which inherits the slot, in the environment of the submitter.

    Returns: 0 once the run is under way, or the exit code of a supervisor that has ended before. Raises: OSError.
    """
    command = [ticket.python, "-P", "-m", "fastadv_tui.supervise.supervisor", str(rundir.path)]
    command += [str(ticket.attempt), slot.device, str(slot.handle)]
    with rundir.log.open("ab") as log:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=dict(ticket.environment),
            pass_fds=(slot.handle,),
        ).returncode


def _write_record(queue: RunQueue) -> None:
    """Tell others that this process is the keeper. On a full disk they start another one, which ends at once."""
    with suppress(OSError):
        records.write(record_path(queue), process_identity.me())


def keep(queue: RunQueue, ready: Callable[[], None] = lambda: None) -> None:
    """Start runs until no run waits. Returns at once if the queue has a keeper.

    ready: called when others can know of this keeper, maybe more than once.
    """
    while (lock := try_lock(queue.slots / "keeper.lock")) is not None:
        _write_record(queue)
        ready()
        _start_while_some_wait(queue)
        # Who adds a run looks at this record after its ticket is written. So either they find no keeper and start one,
        # or we find their ticket below.
        record_path(queue).unlink(missing_ok=True)
        os.close(lock)
        if not queue.waiting():
            return


def _start_while_some_wait(queue: RunQueue) -> None:
    beat = time.monotonic()
    while queue.waiting():
        with suppress(OSError):  # a full disk, or a file system that is away for a while: the runs keep their places
            if not start_runs(queue):
                return
            if time.monotonic() - beat > BEAT:
                beat = time.monotonic()
                _write_record(queue)
        time.sleep(TICK)


def main(arguments: Sequence[str]) -> int:
    """Detach from the process that started the keeper, and keep the queue. The starter waits for the record only."""
    starter = detach()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    keep(RunQueue(Path(arguments[0])), starter.tell)
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
