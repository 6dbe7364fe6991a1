"""What several tests need: waiting for a condition, a run directory, a stand-in for the training process."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil

from engine.config.presets import build
from engine.config.run import RunConfig
from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir, Submission
from fastadv_tui.runs import control, create, state, status
from fastadv_tui.supervise import process_identity
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord, read

FAKE = Path(__file__).parent / "fake"  # on PYTHONPATH, its `engine` takes the place of ours and needs no torch
Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found | None], timeout: float = 20.0) -> Found:
    """The first true value of a condition; AssertionError if there is none in `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {condition}"
        time.sleep(0.02)
    return found


def config(behaviour: str = "", grace: float = 30.0) -> RunConfig:
    """A small run; `behaviour` is what the stand-in of the engine does (see fake/engine/__main__.py)."""
    return build("digits", {"name": behaviour, "device": "cpu", "grace_seconds": grace})


def make_run(folder: Path, submitted: float | None = None, chosen: RunConfig | None = None) -> RunDir:
    """A run directory with its config.json, made without the runner."""
    folder.mkdir(parents=True)
    rundir = RunDir(folder)
    when = time.time() if submitted is None else submitted
    rundir.config.write_bytes(msgspec.json.encode(Submission(id=rundir.id, submitted=when, config=chosen or config())))
    return rundir


def write_events(rundir: RunDir, *written: events.AnyEvent) -> None:
    with event_log.Writer(rundir.events) as writer:
        for event in written:
            writer.write(event)


def started(attempt: int = 1, from_step: int = 0, **fields: object) -> events.Started:
    given = {
        "attempt": attempt,
        "from_step": from_step,
        "total_steps": 100,
        "steps_per_epoch": 10,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "parameters": 1000,
        "train_images": 1280,
        "test_images": 500,
        "data_fingerprint": "abc",
        "official_data": True,
    }
    return msgspec.convert(given | fields, events.Started)


def step(number: int, elapsed: float | None = None, **fields: object) -> events.Step:
    given = {
        "step": number,
        "elapsed": float(number) if elapsed is None else elapsed,
        "epoch": number / 10,
        "lr": 0.1,
        "loss": 1.0,
        "accuracy": 0.5,
        "images_per_second": 128.0,
    }
    return msgspec.convert(given | fields, events.Step)


def evaluated(number: int, stage: str = "watch", **fields: object) -> events.Evaluated:
    given = {
        "stage": stage,
        "split": "test",
        "step": number,
        "epoch": number / 10,
        "attack": "pgd-10",
        "clean": 0.9,
        "robust": 0.4,
        "images": 500,
    }
    return msgspec.convert(given | fields, events.Evaluated)


def verdict(rundir: RunDir) -> status.Verdict:
    """What a viewer that comes now is told."""
    return status.derive(rundir, state.load(rundir))


def wait_for_status(rundir: RunDir, *wanted: str) -> status.Verdict:
    """Wait until a viewer is told one of these."""

    def look() -> status.Verdict | None:
        found = verdict(rundir)
        return found if found.status in wanted else None

    return wait_for(look)


def exit_record(rundir: RunDir) -> ExitRecord:
    """How the run ended, once that is written."""
    return wait_for(lambda: read(rundir.exit, ExitRecord))


def engine_pid(rundir: RunDir) -> int:
    """The engine's pid, once it trains."""

    def look() -> int | None:
        record = read(rundir.process, ProcessRecord)
        return record.engine.pid if record and record.engine and state.load(rundir).steps else None

    return wait_for(look)


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


def kill_all_of(rundir: RunDir) -> None:
    """Clean up after a test, whatever happened in it: nothing of the run is left."""
    record = read(rundir.process, ProcessRecord)
    members = [who for who in (record.supervisor, record.engine) if who] if record else []
    for member in members:
        if process_identity.alive(member):
            os.kill(member.pid, signal.SIGKILL)
            wait_for(partial(gone, member.pid))


def submit(behaviour: str = "", grace: float = 30.0, slots: int = 1) -> RunDir:
    """Start a run with a stand-in engine that behaves so; grace: in seconds."""
    rundir = create.create(config(behaviour, grace), ["fastadv", "run", "digits"], slots=slots)
    control.spawn(rundir)
    return rundir
