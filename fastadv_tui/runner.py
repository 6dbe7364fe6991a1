"""Starting and ending runs: submit, spawn, stop, resume, delete."""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.protocol.files import write_atomic
from engine.protocol.provenance import code_fingerprint, engine_command, git_commit, package_version
from engine.protocol.rundir import RunDir, Submission
from fastadv_tui import state, status
from fastadv_tui.errors import UserError
from fastadv_tui.home import HomeError, ensure_home, runs_dir
from fastadv_tui.locks import try_lock

ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: ids are read aloud and typed
ID_LENGTH = 6


class RunError(UserError):
    """What was asked cannot be done with that run as it is now."""


def kinds(configs: Iterable[RunConfig]) -> list[RunConfig]:
    """Of many runs one for each thing that `check` looks at."""
    return list({(_looked_at(config), config.micro_batch, config.holdout): config for config in configs}.values())


def _looked_at(config: RunConfig) -> tuple[object, ...]:
    return config.dataset, config.data_dir, config.phase_list, config.model.name, config.device


def check(config: RunConfig) -> dict[str, Any]:
    """Have the engine check data and device, downloading the data if need be; returns what it found.

    Raises: ConfigError, if the run could not start.
    """
    request = msgspec.json.encode(config)
    try:
        done = subprocess.run(engine_command("--check"), input=request, stdout=subprocess.PIPE)
    except OSError as error:  # no more processes, or no memory for one
        raise ConfigError(f"cannot start the engine's check: {error}") from None
    try:
        answer: dict[str, Any] = msgspec.json.decode(done.stdout.splitlines()[-1])
    except (IndexError, msgspec.DecodeError):
        raise ConfigError(f"the engine's check ended with {done.returncode}; `fastadv doctor` may say why") from None
    if "error" in answer:
        raise ConfigError(answer["error"])
    return answer


def create(config: RunConfig, command: Sequence[str], slots: int = 1) -> RunDir:
    """Make a run directory, for this user alone, with its `config.json`.

    Raises: HomeError, if it cannot be written; nothing is left behind then.
    """
    ensure_home()
    try:
        path = _unused_path(runs_dir())
        submission = Submission(
            id=path.name,
            submitted=time.time(),
            config=config,
            version=package_version(),
            commit=git_commit(),
            code_fingerprint=code_fingerprint(),
            command=list(command),
            slots=slots,
        )
        _put_in_place(msgspec.json.format(msgspec.json.encode(submission), indent=2), path)
    except OSError as error:
        raise HomeError(
            f"cannot write in {runs_dir()} ({error.strerror}); free some space or set FASTADV_HOME"
        ) from None
    return RunDir(path)


def spawn(rundir: RunDir) -> None:
    """Start a detached supervisor; the run is queued when this returns.

    Raises: RunError, if the run is supervised already or its supervisor cannot start; HomeError, if the run's
    folder cannot be written.
    """
    command = [sys.executable, "-P", "-m", "fastadv_tui.supervisor", str(rundir.path)]
    try:
        with rundir.log.open("ab") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
    except OSError as error:
        raise HomeError(f"cannot write in {rundir.path} ({error.strerror})") from None
    if done.returncode:
        from fastadv_tui.supervisor import EXIT_BUSY

        if done.returncode == EXIT_BUSY:
            raise RunError(f"{rundir.id} cannot be started: its last attempt has not ended yet")
        raise RunError(f"{rundir.id} cannot be started; {rundir.log} says why, unless the disk is full")


def verdict(rundir: RunDir) -> status.Verdict:
    """What the run is doing now."""
    return status.derive(rundir, state.load(rundir))


def stop(rundir: RunDir, now: bool = False) -> None:
    """Ask a run to save and end, or (`now`) have it killed; a queued one is cancelled.

    Raises: RunError, if it has ended; HomeError, if the request cannot be written.
    """
    current = verdict(rundir)
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
    current = verdict(rundir)
    if current.live:
        raise RunError(f"{rundir.id} is {current.status}; there is nothing to resume")
    if current.status == "done":
        raise RunError(f"{rundir.id} is done; start another one with `fastadv run`")
    spawn(rundir)


def delete(rundir: RunDir) -> None:
    """Remove a run's folder and everything in it.

    Raises: RunError, if the run is live; HomeError, if it cannot be removed.
    """
    if verdict(rundir).live:
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
        if not verdict(rundir).live:
            for path, size in found.items():
                path.unlink(missing_ok=True)
                freed += size
    except OSError as error:
        raise HomeError(f"cannot remove checkpoints of {rundir.path} ({error.strerror})") from None
    finally:
        if lock is not None:
            os.close(lock)
    return freed


def _unused_path(runs: Path) -> Path:
    while True:
        path = runs / "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
        if not path.exists():
            return path


def _put_in_place(submission: bytes, path: Path) -> None:
    """Make the folder whole at once: who looks at one without `config.json` calls the run lost. Raises: OSError."""
    staged = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))  # hidden ones are no runs
    try:
        write_atomic(RunDir(staged).config, submission)
        staged.rename(path)
    except OSError:
        shutil.rmtree(staged, ignore_errors=True)
        raise


def place_in_line(rundir: RunDir) -> int | None:
    """A queued run's place in its line, from 1."""
    from fastadv_tui.home import slots_dir
    from fastadv_tui.slots import Line

    return Line(slots_dir()).place_of(rundir.id)
