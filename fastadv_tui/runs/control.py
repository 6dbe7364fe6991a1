"""Actions on a run: start its supervisor, stop, resume, delete, and remove its checkpoints."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from engine.protocol.rundir import RunDir
from fastadv_tui.errors import HomeError, UserError
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.observe import observe
from fastadv_tui.runs.status import Status
from fastadv_tui.supervise.locks import try_lock


class RunError(UserError):
    """The action is not possible in the present status of the run."""


def spawn(rundir: RunDir) -> None:
    """Start a detached supervisor. The run is queued when this function returns.

    Raises: RunError, if the run has a supervisor already or the new one cannot start; HomeError, if the run folder
    cannot be written.
    """
    command = [sys.executable, "-P", "-m", "fastadv_tui.supervise.supervisor", str(rundir.path)]
    try:
        with rundir.log.open("ab") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
    except OSError as error:
        raise HomeError(f"cannot write to {rundir.path} ({error.strerror})") from None
    if done.returncode:
        from fastadv_tui.supervise.supervisor import EXIT_BUSY

        if done.returncode == EXIT_BUSY:
            raise RunError(f"{rundir.id} cannot be started: its previous attempt has not ended yet")
        raise RunError(f"{rundir.id} cannot be started; see {rundir.log}, or free space if the disk is full")


def stop(rundir: RunDir, now: bool = False) -> Status:
    """Ask a run to save and end; with `now`, have the run killed. A queued run is cancelled.

    Returns: the status before. Raises: RunError, if the run has ended; HomeError, if the request cannot be written.
    """
    current = observe(rundir).status
    if not current.live:
        raise RunError(f"{rundir.id} has already ended: {current.status}")
    try:
        rundir.request_stop(now)
    except OSError as error:
        raise HomeError(f"cannot write {rundir.stop} ({error.strerror})") from None
    return current.status


def resume(rundir: RunDir) -> None:
    """Start another attempt, which continues from the last checkpoint.

    Raises: RunError, if the run is queued, running or done, or as `spawn`; HomeError, as `spawn`; SubmissionError, if
    its `config.json` cannot be read.
    """
    current = observe(rundir).status
    if current.live and rundir.stop_asked():
        raise RunError(f"{rundir.id} is stopping; resume it when it has stopped")
    if current.live:
        raise RunError(f"{rundir.id} is {current.status}; there is nothing to resume")
    if current.status == "done":
        raise RunError(f"{rundir.id} is done and cannot be resumed; start a new run with `fastadv run`")
    rundir.submission()  # raises SubmissionError before anything is changed
    spawn(rundir)


def delete(rundir: RunDir) -> None:
    """Remove the folder of a run with all its files.

    Raises: RunError, if the run is queued or running; HomeError, if the folder cannot be removed.
    """
    if observe(rundir).status.live:
        raise RunError(f"{rundir.id} has not ended; stop it first with `fastadv stop {rundir.id}`")
    if rundir.path.is_symlink() or rundir.path.parent != runs_dir():
        raise RunError(f"{rundir.path} is not a run folder in {runs_dir()}; `fastadv runs` lists the runs")
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
