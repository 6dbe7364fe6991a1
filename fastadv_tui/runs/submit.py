"""Submitting a run: its place in the queue, and the start of the runs whose turn has come."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.protocol.rundir import RunDir
from engine.protocol.submission import Submission
from fastadv_tui.errors import DeviceError, HomeError, UserError
from fastadv_tui.supervise import keeper, records
from fastadv_tui.supervise.keeper import StartSupervisor
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.process_identity import hostname
from fastadv_tui.supervise.queue import FullTicket, RunQueue
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord, QueueRecord
from fastadv_tui.supervise.slots import devices_for


class RunError(UserError):
    """The action is not possible in the present status of the run."""


def submit_run(rundir: RunDir, supervise: StartSupervisor | None = None) -> None:
    """Put a run into the queue of this host, and start it if its turn has come. supervise: as for `start_runs`.

    Raises: RunError, if the run waits or has a supervisor already, or it cannot use its device; HomeError, if its
    folder or the queue cannot be written; SubmissionError, if its `config.json` cannot be read.
    """
    queue = RunQueue.of_home()
    put_in_queue(rundir, queue)
    serve(queue, supervise)


def put_in_queue(rundir: RunDir, queue: RunQueue) -> None:
    """Give a run its place in the queue of this host. `serve` starts the run. Raises: as `submit_run`."""
    with in_one_line(rundir), queue.locked():
        place_in_queue(rundir, queue)


def place_in_queue(rundir: RunDir, queue: RunQueue, devices: Callable[[str], tuple[str, ...]] = devices_for) -> None:
    """As `put_in_queue`, for a caller that holds the lock of the queue. Threads may place several runs at once.

    devices: `devices_for`, or what remembers its answers for many runs.
    """
    with in_one_line(rundir):
        submission = rundir.submission()
        _add(rundir, queue, submission, _new_attempt(rundir, queue), devices)


@contextmanager
def in_one_line(rundir: RunDir) -> Iterator[None]:
    """Turn the errors of a submission into one line for the user. Raises: RunError or HomeError."""
    try:
        yield
    except DeviceError as error:
        raise RunError(f"{rundir.id} cannot be started: {error}") from None
    except OSError as error:
        problem = error.strerror or error
        raise HomeError(f"cannot queue {rundir.id} ({problem}); free space if the disk is full") from None


def _new_attempt(rundir: RunDir, queue: RunQueue) -> int:
    """The number of the attempt that begins now, which its record announces. Raises: RunError; OSError."""
    if queue.holds(rundir.id):
        raise RunError(f"{rundir.id} is queued already")
    if (lock := try_lock(rundir.lock)) is None:
        raise RunError(f"{rundir.id} cannot be started: its previous attempt has not ended yet")
    os.close(lock)
    before = (
        records.read(rundir.queued, QueueRecord),
        records.read(rundir.process, ProcessRecord),
        records.read(rundir.exit, ExitRecord),
    )
    attempt = 1 + max((record.attempt for record in before if record), default=0)
    rundir.stop.unlink(missing_ok=True)  # the stop request was meant for an earlier attempt
    records.write(rundir.queued, QueueRecord(attempt=attempt, host=hostname(), t=time.time()))
    return attempt


def _add(
    rundir: RunDir,
    queue: RunQueue,
    submission: Submission,
    attempt: int,
    devices: Callable[[str], tuple[str, ...]],
) -> None:
    """Write the ticket. Raises: OSError; DeviceError, if the device cannot be used, which is then on record."""
    try:
        ticket = FullTicket(
            order=submission.submitted if attempt == 1 else time.time(),
            id=rundir.id,
            attempt=attempt,
            devices=devices(submission.config.device),
            slots=submission.slots,
            folder=rundir.path.parent.name,
            python=sys.executable,
            environment=list(os.environb.items()),
        )
        queue.add(ticket)
    except DeviceError as error:
        records.write_exit(rundir.exit, ExitRecord(attempt=attempt, t=time.time(), code=None, error=str(error)))
        raise
    except OSError:
        rundir.queued.unlink(missing_ok=True)
        raise


def serve(queue: RunQueue, supervise: StartSupervisor | None = None) -> None:
    """Start the runs whose turn has come, and a keeper for those that must wait.

    Raises: HomeError, if the queue cannot be written; the runs keep their places.
    """
    try:
        if keeper.start_runs(queue, supervise):
            keeper.revive(queue)
    except OSError as error:
        raise HomeError(f"cannot start queued runs ({error.strerror or error}); they keep their places") from None
