"""Runs as a user has them: in a home folder of their own, by the command line, or by the engine alone."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from engine.config.presets import build
from engine.protocol import event_log, events
from engine.protocol.provenance import engine_command
from engine.protocol.rundir import RunDir
from fastadv_tui.runs import state
from fastadv_tui.supervise import records
from fastadv_tui.supervise.records import ExitRecord
from tests.gpu.registry import Machine
from tests.support.processes import ROOT, TOKEN, kill_all, with_token
from tests.support.runs import make_run
from tests.support.waiting import seconds, wait_until

EventKind = TypeVar("EventKind", bound=events.Event)
FASTADV = [sys.executable, "-P", "-m", "fastadv_tui"]


def environment(machine: Machine, **more: str) -> dict[str, str]:
    """The environment of a command that uses this code and the device of the checks."""
    inherited = {key: value for key, value in os.environ.items() if key not in ("FASTADV_DEVICE", "FASTADV_HOME")}
    hidden = {} if machine.gpu else {"CUDA_VISIBLE_DEVICES": ""}
    return {**inherited, **hidden, "PYTHONPATH": str(ROOT), **more}


class Home:
    """A home folder of fastadv, and the commands in it."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        self.folder, self.machine = folder, machine
        self.token = ".".join(filter(None, (os.environ.get(TOKEN), uuid.uuid4().hex)))

    def popen(self, *words: str | Path) -> "subprocess.Popen[str]":
        """Start a command."""
        own = environment(self.machine, **{"FASTADV_HOME": str(self.folder), TOKEN: self.token})
        pipe = subprocess.PIPE
        return subprocess.Popen([*FASTADV, *map(str, words)], stdout=pipe, stderr=pipe, text=True, env=own)

    def fastadv(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        """Do a command and wait for its end."""
        with self.popen(*words) as process:
            try:
                out, told = process.communicate(timeout=seconds(120))
            finally:
                process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, out, told)

    def begin(self, *words: str | Path) -> RunDir:
        """Submit a run on the device of the checks. Raises: RuntimeError, if it is refused."""
        done = self.fastadv("run", *words, "--device", self.machine.setting, "--detach")
        if done.returncode:
            raise RuntimeError(f"`fastadv run` failed: {(done.stderr.strip().splitlines() or ['no words'])[-1]}")
        return RunDir(self.folder / "runs" / done.stdout.split()[-1])


@contextmanager
def home(machine: Machine) -> Iterator[Home]:
    """An empty home. After the block, its processes and its files are gone."""
    made = Home(Path(tempfile.mkdtemp(prefix="fastadv-accept-")), machine)
    try:
        yield made
    finally:
        kill_all(lambda: with_token(made.token))
        shutil.rmtree(made.folder, ignore_errors=True)


def end_of(rundir: RunDir, timeout: float = 120) -> ExitRecord:
    """Wait for the record of a run's end."""
    return wait_until(lambda: records.read(rundir.exit, ExitRecord), timeout)


def wait_for_step(rundir: RunDir, step: int, timeout: float = 60) -> None:
    """Wait until a run has made so many updates. Raises: RuntimeError, if it ends before."""

    def there() -> bool:
        now = state.load(rundir)
        if now.step < step and (now.finished or rundir.exit.exists()):
            raise RuntimeError(f"the run ended before step {step}: {why_failed(rundir)}")
        return now.step >= step

    wait_until(there, timeout)


def why_failed(rundir: RunDir) -> str:
    """What a run says of its failure, in one line."""
    told = [event.error for event in of_kind(rundir, events.Finished) if event.error]
    log = rundir.log.read_text(errors="replace").strip().splitlines() if rundir.log.exists() else []
    return (told or log or ["it said nothing"])[-1]


def of_kind(rundir: RunDir, kind: type[EventKind]) -> list[EventKind]:
    return [event for event in event_log.read(rundir.events) if isinstance(event, kind)]


def engine_run(folder: Path, machine: Machine, **typed: Any) -> RunDir:
    """The directory of a run on the digits without a supervisor, on the device of the checks."""
    few = {"model.width": 4, "eval.attack": "none", "watch.images": 0, "device": machine.setting}
    return make_run(folder, chosen=build("digits", few | {key.replace("__", "."): v for key, v in typed.items()}))


def start_engine(rundir: RunDir, machine: Machine, **env: str) -> "subprocess.Popen[bytes]":
    with rundir.log.open("ab") as log:
        own, words = environment(machine, **env), engine_command(str(rundir.path))
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=own)


def train_to_end(rundir: RunDir, machine: Machine) -> None:
    """Raises: RuntimeError, if the run does not end well."""
    with start_engine(rundir, machine) as process:
        try:
            code = process.wait(seconds(120))
        finally:
            process.kill()
    if code:
        raise RuntimeError(f"the engine ended with exit code {code}: {why_failed(rundir)}")


def stop_in_the_middle(rundir: RunDir, machine: Machine, step: int) -> int:
    """Stop a run by SIGTERM once it has made so many updates. Returns the updates that its checkpoint has."""
    with start_engine(rundir, machine) as process:
        try:
            wait_for_step(rundir, step)
            process.send_signal(signal.SIGTERM)
            process.wait(seconds(60))
        finally:
            process.kill()
    (finished,) = of_kind(rundir, events.Finished)
    if finished.status != "stopped":
        raise RuntimeError(f"the run was not stopped in the middle: {finished.status} {finished.error}")
    return finished.step
