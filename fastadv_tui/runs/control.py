"""What can be done with a run: spawn, stop, resume, delete."""

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
from fastadv_tui.supervise.locks import try_lock


class RunError(UserError):
    """What was asked cannot be done with that run as it is now."""


def spawn(rundir: RunDir) -> None:
    """Start a detached supervisor; the run is queued when this returns.

    Raises: RunError, if the run is supervised already or its supervisor cannot start; HomeError, if the run's
    folder cannot be written.
    """
    command = [sys.executable, "-P", "-m", "fastadv_tui.supervise.supervisor", str(rundir.path)]
    try:
        with rundir.log.open("ab") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
    except OSError as error:
        raise HomeError(f"cannot write in {rundir.path} ({error.strerror})") from None
    if done.returncode:
        from fastadv_tui.supervise.supervisor import EXIT_BUSY

        if done.returncode == EXIT_BUSY:
            raise RunError(f"{rundir.id} cannot be started: its last attempt has not ended yet")
        raise RunError(f"{rundir.id} cannot be started; {rundir.log} says why, unless the disk is full")


def stop(rundir: RunDir, now: bool = False) -> None:
    """Ask a run to save and end, or (`now`) have it killed; a queued one is cancelled.

    Raises: RunError, if it has ended; HomeError, if the request cannot be written.
    """
    current = observe(rundir).status
    if not current.live:
        raise RunError(f"{rundir.id} has ended already: {current.status}")
    try:
        rundir.request_stop(now)
    except OSError as error:
        raise HomeError(f"cannot write {rundir.stop} ({error.strerror})") from None


def resume(rundir: RunDir) -> None:
    """Start another attempt, from the last checkpoint.

    Raises: RunError, if the run is live or done.
    """
    current = observe(rundir).status
    if current.live:
        raise RunError(f"{rundir.id} is {current.status}; there is nothing to resume")
    if current.status == "done":
        raise RunError(f"{rundir.id} is done; start another one with `fastadv run`")
    spawn(rundir)


def delete(rundir: RunDir) -> None:
    """Remove a run's folder and everything in it.

    Raises: RunError, if the run is live; HomeError, if it cannot be removed.
    """
    if observe(rundir).status.live:
        raise RunError(f"{rundir.id} is live; stop it first with `fastadv stop {rundir.id}`")
    if rundir.path.is_symlink() or rundir.path.parent != runs_dir():
        raise RunError(f"{rundir.path} is no folder of {runs_dir()}")
    try:
        shutil.rmtree(rundir.path)
    except OSError as error:
        raise HomeError(f"cannot remove {rundir.path} ({error.strerror})") from None


def checkpoints(rundir: RunDir) -> dict[Path, int]:
    """The files of weights of a run, and their sizes in bytes; none where they cannot be seen."""
    found: dict[Path, int] = {}
    with contextlib.suppress(OSError):
        for path in rundir.path.glob("*.pt"):
            found[path] = path.stat().st_size
    return found


def remove_checkpoints(rundir: RunDir) -> int:
    """Remove a run's weights, unless it goes on meanwhile; returns the bytes freed. Raises: HomeError."""
    freed, lock = 0, None
    try:
        if not (found := checkpoints(rundir)) or (lock := try_lock(rundir.lock)) is None:
            return 0  # a supervisor holds it
        if not observe(rundir).status.live:
            for path, size in found.items():
                path.unlink(missing_ok=True)
                freed += size
    except OSError as error:
        raise HomeError(f"cannot remove checkpoints of {rundir.path} ({error.strerror})") from None
    finally:
        if lock is not None:
            os.close(lock)
    return freed
