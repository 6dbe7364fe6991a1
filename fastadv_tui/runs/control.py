"""Actions on a run: stop, resume, delete, and remove its checkpoints."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from engine.protocol.rundir import RunDir
from fastadv_tui.errors import HomeError
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.evaluation_jobs import live_evaluations, remove_ended
from fastadv_tui.runs.observe import observe
from fastadv_tui.runs.submit import RunError, submit_run
from fastadv_tui.supervise import keeper, records
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.records import ExitRecord, QueueRecord


def stop(rundir: RunDir, now: bool = False) -> bool:
    """Ask a run to save and end; with `now`, have the run killed. A run that waits in a queue is cancelled at once.

    Returns: whether the run was cancelled. Raises: RunError, if the run has ended; HomeError, if the request cannot be
    written.
    """
    seen = observe(rundir)
    if not seen.status.live:
        raise RunError(f"{rundir.id} has already ended: {seen.status.status}")
    try:
        if seen.queued and _cancel(rundir, seen.queued):
            return True
        rundir.request_stop(now)
    except OSError as error:
        raise HomeError(f"cannot write to {rundir.path} ({error.strerror or error})") from None
    return False


def in_order_of_stopping(run_ids: Iterable[str]) -> list[str]:
    """The runs that wait come first, the last of the queue at the head: so none starts because another was stopped."""
    places = RunQueue.of_home().places()
    return sorted(run_ids, key=lambda run_id: places.get(run_id, 0), reverse=True)


def stop_evaluations(rundir: RunDir, now: bool = False) -> int:
    """Stop the evaluations of a run, as `stop`. Returns their number. Raises: as `stop`."""
    found = live_evaluations(rundir.id)
    for evaluation in found:
        stop(evaluation, now)
    return len(found)


def _cancel(rundir: RunDir, queued: QueueRecord) -> bool:
    """Cancel a run that waits; False if the run waits no longer. Raises: OSError."""
    queue = RunQueue.of_home(queued.host)
    with queue.locked():
        if not queue.holds(rundir.id) or keeper.begun(rundir, queued.attempt):
            return False
        cancelled = ExitRecord(attempt=queued.attempt, t=time.time(), code=None, cancelled=True)
        records.write_exit(rundir.exit, cancelled)  # before the ticket goes: a reader finds one of the two
        queue.remove(rundir.id)
    return True


def resume(rundir: RunDir) -> None:
    """Queue another attempt, which continues from the last checkpoint.

    Raises: RunError, if the run is queued, running or done; all that `submit_run` raises.
    """
    current = observe(rundir).status
    if current.live and rundir.stop_asked():
        raise RunError(f"{rundir.id} is stopping; resume it when it has stopped")
    if current.live:
        raise RunError(f"{rundir.id} is {current.status}; there is nothing to resume")
    if current.status == "done":
        raise RunError(f"{rundir.id} is done; nothing is left to resume")
    submit_run(rundir)


def delete(rundir: RunDir) -> None:
    """Remove the folder of a run with all its files, and those of its ended evaluations.

    Raises: RunError, if the run or an evaluation of it is queued or running; HomeError, if the folder cannot be
    removed.
    """
    if observe(rundir).status.live:
        raise RunError(f"{rundir.id} has not ended; stop it first with `fastadv stop {rundir.id}`")
    if live_evaluations(rundir.id):
        raise RunError(f"{rundir.id} is in evaluation; stop it first with `fastadv stop {rundir.id}`")
    if rundir.path.is_symlink() or rundir.path.parent != runs_dir():
        raise RunError(f"{rundir.path} is not a run folder in {runs_dir()}; `fastadv runs` lists the runs")
    remove_ended(rundir.id)
    try:
        shutil.rmtree(rundir.path)
    except OSError as error:
        raise HomeError(f"cannot remove {rundir.path} ({error.strerror}); check its permissions") from None


def checkpoints(rundir: RunDir) -> dict[Path, int]:
    """The weight files of a run and their sizes in bytes; empty if the folder cannot be read."""
    found: dict[Path, int] = {}
    with contextlib.suppress(OSError):
        for path in rundir.path.glob("*.pt"):
            found[path] = path.stat().st_size
    return found


def remove_checkpoints(rundir: RunDir) -> int:
    """Remove the weight files of a run that is not live; returns the number of freed bytes. Raises: HomeError."""
    freed, lock = 0, None
    try:
        if not (found := checkpoints(rundir)) or (lock := try_lock(rundir.lock)) is None:
            return 0  # there are no files, or a supervisor holds the lock
        if not observe(rundir).status.live:
            for path, size in found.items():
                path.unlink(missing_ok=True)
                freed += size
    except OSError as error:
        raise HomeError(
            f"cannot remove checkpoints of {rundir.path} ({error.strerror}); check its permissions"
        ) from None
    finally:
        if lock is not None:
            os.close(lock)
    return freed
