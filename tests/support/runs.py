"""Run directories, and runs with a stand-in for the engine."""

import json
import time
from pathlib import Path

import msgspec
import psutil

from engine.config.presets import build
from engine.config.run import RunConfig
from engine.protocol.rundir import RunDir
from engine.protocol.submission import Submission
from fastadv_tui.runs import state, status
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.observe import observe
from fastadv_tui.runs.submit import submit_run
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord, read
from tests.support.waiting import wait_until

FAKE = Path(__file__).parent / "stand_in"  # on PYTHONPATH, its `engine` takes the place of ours and needs no torch


def config(behaviour: str = "", grace: float = 30.0, device: str = "cpu") -> RunConfig:
    """A small run; `behaviour` says what the stand-in engine does (see stand_in/engine/__main__.py)."""
    return build("digits", {"name": behaviour, "device": device, "grace_seconds": grace})


def make_run(folder: Path, submitted: float | None = None, chosen: RunConfig | None = None) -> RunDir:
    """A run directory with its config.json alone."""
    folder.mkdir(parents=True)
    rundir = RunDir(folder)
    when = time.time() if submitted is None else submitted
    rundir.config.write_bytes(msgspec.json.encode(Submission(id=rundir.id, submitted=when, config=chosen or config())))
    return rundir


def edit_config(rundir: RunDir, key: str, value: object) -> None:
    """Change a setting in the config.json of a run, as a user may do by hand."""
    content = json.loads(rundir.config.read_text())
    section, _, leaf = key.rpartition(".")
    (content["config"][section] if section else content["config"])[leaf] = value
    rundir.config.write_text(json.dumps(content))


def verdict(rundir: RunDir) -> status.RunStatus:
    """The status that a viewer would be told now."""
    return observe(rundir).status


def wait_for_status(rundir: RunDir, *wanted: str) -> status.RunStatus:
    """Wait until the status is one of these."""

    def look() -> status.RunStatus | None:
        found = verdict(rundir)
        return found if found.status in wanted else None

    return wait_until(look)


def exit_record(rundir: RunDir) -> ExitRecord:
    """Wait for the record of the run's end."""
    return wait_until(lambda: read(rundir.exit, ExitRecord))


def engine_pid(rundir: RunDir) -> int:
    """The pid of the engine, once the engine trains."""

    def look() -> int | None:
        record = read(rundir.process, ProcessRecord)
        return record.engine.pid if record and record.engine and state.load(rundir).steps else None

    return wait_until(look)


def supervisor_pid(rundir: RunDir) -> int:
    record = read(rundir.process, ProcessRecord)
    assert record is not None
    return record.supervisor.pid


def gone(pid: int) -> bool:
    """Whether no process, or only a zombie, has this pid."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def submit(behaviour: str = "", grace: float = 30.0, slots: int = 1) -> RunDir:
    """Start a run with the stand-in engine; grace: in seconds."""
    rundir = create_run(config(behaviour, grace), ["fastadv", "run", "digits"], slots=slots)
    submit_run(rundir)
    return rundir
