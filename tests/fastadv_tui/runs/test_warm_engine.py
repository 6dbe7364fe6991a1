"""An engine that is started before its run, with a stand-in for the engine, real supervisors and real faults."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine.protocol.requests import Checked
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.runs import control, state
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.engine_client import EngineError
from fastadv_tui.runs.submit import submit_run
from fastadv_tui.runs.warm_engine import WarmEngine
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.slots import CPU, free_slot
from tests.support.gpu_machine import show_gpus
from tests.support.runs import (
    FAKE,
    config,
    engine_pid,
    exit_record,
    gone,
    submit,
    supervisor_pid,
    verdict,
    wait_for_status,
)
from tests.support.waiting import seconds, wait_until

pytestmark = pytest.mark.usefixtures("fake_engine")

CHECK_AND_SLEEP = """
import sys, time
from fastadv_tui.runs.warm_engine import WarmEngine
from tests.support.runs import config
with WarmEngine(config()) as engine:
    engine.check()
    print("checked", flush=True)
    time.sleep(600)
"""


def begin(behaviour: str = "", device: str = CPU) -> tuple[RunDir, int]:
    """Check, create and submit a run. Returns the run, and the pid of the engine that checked it."""
    chosen = config(behaviour, device=device)
    with WarmEngine(chosen) as engine:
        engine.check()
        waiting = waiting_engine()
        rundir = create_run(chosen, [])
        submit_run(rundir, engine.supervise(rundir))
    return rundir, waiting.pid


def waiting_engine() -> psutil.Process:
    (found,) = [child for child in psutil.Process().children(recursive=True) if "--warm" in child.cmdline()]
    return found


def test_the_engine_that_checks_a_run_trains_it_and_its_supervisor_is_its_parent() -> None:
    rundir, waiting = begin("forever")
    engine, supervisor = engine_pid(rundir), supervisor_pid(rundir)
    assert engine == waiting
    assert psutil.Process(engine).ppid() == supervisor
    assert os.getpgid(engine) == engine
    assert os.getsid(supervisor) == os.getsid(engine) != os.getsid(0)
    assert psutil.Process(supervisor).cwd() == psutil.Process(engine).cwd() == "/"
    if sys.platform == "linux":
        assert psutil.Process(supervisor).memory_info().rss < 30e6
    control.stop(rundir)
    assert wait_for_status(rundir, "stopped").reason == ""
    record = exit_record(rundir)
    assert (record.attempt, record.code, record.killed) == (1, 130, False)
    assert record.cpu_seconds > 0
    wait_until(lambda: gone(supervisor))


def test_the_answer_of_the_check_comes_before_there_is_a_run(home: Path) -> None:
    with WarmEngine(config()) as engine:
        assert engine.check() == Checked(train_images=7, test_images=3, official_data=None, data_fingerprint="abc")
        assert not (home / "runs").exists()
        waiting = waiting_engine()
    assert gone(waiting.pid)  # nobody gave it a run


def test_a_run_that_is_refused_leaves_nothing(home: Path) -> None:
    with pytest.raises(UserError, match=r"^as told$"), WarmEngine(config("refuse")) as engine:
        engine.check()
    assert not psutil.Process().children()
    assert not home.exists()


def test_an_engine_that_dies_in_the_check_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(EngineError, match=r"check ended without an answer \(exit code 1\)"), WarmEngine(config()) as on:
        on.check()


def test_the_engine_holds_the_slot_and_the_run_until_it_ends(home: Path) -> None:
    rundir, _ = begin("forever")
    engine = engine_pid(rundir)
    slots = RunQueue.of_home().slots
    os.kill(supervisor_pid(rundir), signal.SIGSTOP)
    assert free_slot(slots, CPU, 1) is None
    with pytest.raises(control.RunError):
        submit_run(rundir)
    os.kill(supervisor_pid(rundir), signal.SIGKILL)
    wait_until(lambda: gone(engine))  # the kernel tells it that its supervisor is dead
    assert verdict(rundir).status == "stopped"
    assert free_slot(slots, CPU, 1) is not None


@pytest.mark.parametrize("behaviour", ["family forever", "worker", "family segfault"])
def test_no_child_of_the_engine_is_left_when_a_run_has_ended(behaviour: str) -> None:
    rundir, _ = begin(behaviour)
    file = rundir.path / "children"
    children = [int(pid) for pid in wait_until(lambda: file.read_text() if file.exists() else "").split()]
    if "forever" in behaviour:
        os.kill(supervisor_pid(rundir), signal.SIGTERM)
    exit_record(rundir)
    assert all(gone(child) for child in children)


def test_an_engine_that_is_killed_is_lost_and_the_run_can_be_resumed() -> None:
    rundir, _ = begin("forever")
    os.kill(engine_pid(rundir), signal.SIGKILL)
    assert "SIGKILL" in wait_for_status(rundir, "lost").reason
    control.resume(rundir)
    engine_pid(rundir)
    assert verdict(rundir).status == "running"


def test_a_deaf_engine_is_killed_after_the_grace_period() -> None:
    rundir, _ = begin("deaf forever")
    engine_pid(rundir)
    control.stop(rundir, now=True)
    wait_for_status(rundir, "stopped")
    assert exit_record(rundir).code == -signal.SIGKILL


def test_a_run_that_has_to_wait_keeps_no_engine_and_is_started_later() -> None:
    first = submit("forever")
    engine_pid(first)
    rundir, waiting = begin()
    assert verdict(rundir).status == "queued"
    assert gone(waiting)
    control.stop(first)
    wait_for_status(rundir, "done")


def test_the_next_run_of_the_queue_starts_when_a_run_ends() -> None:
    rundir, _ = begin("forever")
    engine_pid(rundir)
    second = submit()
    control.stop(rundir)
    wait_for_status(second, "done")


def test_a_run_that_waits_already_is_started_in_the_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its slot was freed by a process that hands nothing over: whoever comes next starts it, and not as its own run."""
    first = create_run(config(), [])
    with WarmEngine(config("forever")) as engine:
        engine.check()
        submit_run(first, engine.supervise(RunDir(first.path.with_name("another"))))
    wait_for_status(first, "done")


def test_an_engine_that_was_killed_while_it_waited_is_replaced() -> None:
    with WarmEngine(config("forever")) as engine:
        engine.check()
        waiting = waiting_engine()
        waiting.kill()
        wait_until(lambda: all(gone(child.pid) for child in psutil.Process().children(recursive=True)))
        rundir = create_run(config("forever"), [])
        submit_run(rundir, engine.supervise(rundir))
    assert engine_pid(rundir) != waiting.pid
    assert verdict(rundir).status == "running"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_whoever_asked_may_be_killed_and_nothing_goes_on(number: signal.Signals) -> None:
    command = [sys.executable, "-c", CHECK_AND_SLEEP]
    paths = os.pathsep.join([str(FAKE), *filter(None, [os.environ.get("PYTHONPATH"), str(Path.cwd())])])
    asker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths})
    assert asker.stdout is not None
    assert asker.stdout.readline() == "checked\n"
    started = psutil.Process(asker.pid).children(recursive=True)
    assert len(started) == 3  # the supervisor, its starter, and the engine
    asker.send_signal(number)
    asker.communicate(timeout=seconds(20))
    wait_until(lambda: all(gone(process.pid) for process in started))


def test_a_supervisor_that_is_killed_takes_its_engine_along() -> None:
    with WarmEngine(config()) as engine:
        engine.check()
        waiting = waiting_engine()
        psutil.Process(waiting.ppid()).kill()
        wait_until(lambda: gone(waiting.pid))


def test_what_the_engine_prints_goes_to_the_log_and_the_terminal_is_free(capfd: pytest.CaptureFixture[str]) -> None:
    rundir, _ = begin("crash")
    assert "exit code 1" in wait_for_status(rundir, "lost", "failed").reason
    assert "RuntimeError: no last word" in rundir.log.read_text()
    assert capfd.readouterr() == ("", "")


def test_the_engine_learns_its_gpu_when_it_gets_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    show_gpus(monkeypatch, tmp_path / "nvml")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKE), os.environ["PYTHONPATH"]]))
    rundir, _ = begin(device="cuda:1")
    wait_for_status(rundir, "done")
    begun = state.load(rundir).started
    assert begun is not None
    assert begun.device == "cuda"
    assert begun.versions["CUDA_VISIBLE_DEVICES"] == "GPU-1"
