"""The supervisor as users run it, with a stand-in for the engine and with real faults."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.protocol.event_log import newest
from fastadv_tui.runs import control, state
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.submit import submit_run
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
from tests.support.small_disk import small_disk
from tests.support.waiting import seconds, wait_until

pytestmark = pytest.mark.usefixtures("fake_engine")


def test_a_submitted_run_trains_to_its_end_and_its_records_say_so() -> None:
    rundir = submit()
    assert wait_for_status(rundir, "done").reason == ""
    record = exit_record(rundir)
    assert (record.attempt, record.code, record.killed, record.cancelled) == (1, 0, False, False)
    assert 5e6 < record.peak_memory < 1e9
    assert 0 < record.cpu_seconds < 60
    begun = state.load(rundir).started
    assert begun is not None
    assert begun.device == "cpu"
    wait_until(lambda: gone(supervisor_pid(rundir)))


def test_the_engine_gets_the_memory_allocator_variables_of_the_user_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "5")
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    rundir = submit()
    wait_for_status(rundir, "done")
    begun = state.load(rundir).started
    assert begun is not None
    found = {name: value for name, value in begun.versions.items() if name.startswith("MALLOC")}
    assert found == {"MALLOC_TRIM_THRESHOLD_": "5"}


def test_the_engine_learns_of_the_home_that_the_user_has_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FASTADV_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    rundir = submit("forever")
    environment = psutil.Process(engine_pid(rundir)).environ()
    assert rundir.path.is_relative_to(tmp_path / "fastadv")
    assert environment["FASTADV_HOME"] == str(tmp_path / "fastadv")
    control.stop(rundir)
    wait_for_status(rundir, "stopped")


def test_supervisor_and_engine_are_detached_from_the_process_that_started_them() -> None:
    rundir = submit("forever")
    engine, supervisor = engine_pid(rundir), supervisor_pid(rundir)
    assert os.getsid(supervisor) == os.getsid(engine) != os.getsid(0)
    assert os.getpgid(engine) == engine
    os.kill(supervisor, signal.SIGHUP)
    os.kill(engine, signal.SIGHUP)
    before = state.load(rundir).step
    wait_until(lambda: state.load(rundir).step > before + 3)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_the_supervisor_needs_little_memory() -> None:
    rundir = submit("forever")
    engine_pid(rundir)
    assert psutil.Process(supervisor_pid(rundir)).memory_info().rss < 30e6


def test_a_stopped_run_resumes_without_training_a_step_twice() -> None:
    rundir = submit("forever")
    engine = engine_pid(rundir)
    control.stop(rundir)
    assert wait_for_status(rundir, "stopped").reason == ""
    assert gone(engine)
    assert exit_record(rundir).code == 130
    done = state.load(rundir).step
    control.resume(rundir)
    engine_pid(rundir)
    wait_until(lambda: state.load(rundir).step > done)
    now = state.load(rundir)
    assert now.started is not None
    assert (now.attempt, now.started.from_step) == (2, done)
    assert [step.step for step in now.steps] == list(range(1, now.step + 1))
    assert verdict(rundir).status == "running"


def test_sigterm_to_the_supervisor_stops_the_run() -> None:
    rundir = submit("forever")
    engine_pid(rundir)
    os.kill(supervisor_pid(rundir), signal.SIGTERM)
    wait_for_status(rundir, "stopped")
    assert exit_record(rundir).code == 130


def test_an_engine_that_does_not_stop_is_killed_after_the_grace_period() -> None:
    rundir = submit("deaf forever", grace=0.5)
    engine = engine_pid(rundir)
    asked = time.monotonic()
    control.stop(rundir)
    found = wait_for_status(rundir, "stopped", "lost")
    assert found.status == "stopped"
    assert "kill" in found.reason
    assert 0.5 <= time.monotonic() - asked < seconds(6)
    assert exit_record(rundir).killed
    assert gone(engine)


def test_the_grace_period_of_a_stop_counts_from_the_end_of_a_compilation() -> None:
    """The stand-in compiles for 3 s after the request, and then stops as it should."""
    rundir = submit("compiling", grace=0.5)
    wait_until(lambda: newest(rundir.events))
    control.stop(rundir)
    assert wait_for_status(rundir, "stopped").reason == ""
    record = exit_record(rundir)
    assert (record.code, record.killed) == (130, False)


def test_stop_now_kills_an_engine_that_compiles() -> None:
    rundir = submit("compiling", grace=600)
    wait_until(lambda: newest(rundir.events))
    control.stop(rundir, now=True)
    wait_for_status(rundir, "stopped")
    assert exit_record(rundir).code == -signal.SIGKILL


def test_stop_now_kills_the_engine_without_a_grace_period() -> None:
    rundir = submit("deaf forever", grace=600)
    engine_pid(rundir)
    control.stop(rundir)
    control.stop(rundir, now=True)
    wait_for_status(rundir, "stopped")
    assert exit_record(rundir).code == -signal.SIGKILL


def test_a_sigterm_after_stop_now_does_not_bring_back_the_grace_period() -> None:
    rundir = submit("deaf forever", grace=600)
    engine_pid(rundir)
    rundir.request_stop(now=True)
    os.kill(supervisor_pid(rundir), signal.SIGTERM)
    wait_for_status(rundir, "stopped")


@pytest.mark.parametrize("behaviour", ["family forever", "worker", "family segfault"])
def test_no_child_of_the_engine_is_left_when_a_run_has_ended(behaviour: str) -> None:
    rundir = submit(behaviour)
    children = [int(pid) for pid in wait_until(lambda: _text(rundir.path / "children")).split()]
    if "forever" in behaviour:
        engine_pid(rundir)
        control.stop(rundir)
    exit_record(rundir)
    assert all(gone(child) for child in children)


def test_a_killed_engine_is_lost_within_two_seconds_and_can_be_resumed() -> None:
    rundir = submit("forever")
    os.kill(engine_pid(rundir), signal.SIGKILL)
    killed = time.monotonic()
    found = wait_for_status(rundir, "lost")
    assert time.monotonic() - killed < seconds(2)
    assert "SIGKILL" in found.reason
    control.resume(rundir)
    engine_pid(rundir)
    assert verdict(rundir).status == "running"


def test_the_reason_of_a_dead_run_names_the_cause() -> None:
    assert "SIGSEGV" in wait_for_status(submit("segfault"), "lost").reason
    assert wait_for_status(submit("fail"), "failed").reason == "as told"


def test_an_engine_that_dies_without_a_finished_event_leaves_its_traceback() -> None:
    rundir = submit("crash")
    found = wait_for_status(rundir, "lost", "failed")
    assert "exit code 1" in found.reason
    assert "RuntimeError: no last word" in rundir.log.read_text()


def test_the_finished_event_of_an_earlier_attempt_is_not_taken_for_a_later_one(tmp_path: Path) -> None:
    rundir = submit("forever")
    engine_pid(rundir)
    control.stop(rundir)
    wait_for_status(rundir, "stopped")
    wait_until(lambda: gone(supervisor_pid(rundir)))
    submission = json.loads(rundir.config.read_text())
    submission["config"]["name"] = "crash"
    rundir.config.write_text(json.dumps(submission))
    control.resume(rundir)
    wait_until(lambda: exit_record(rundir).attempt == 2)
    assert verdict(rundir).status in ("lost", "failed")
    assert "exit code 1" in verdict(rundir).reason


def test_an_engine_whose_supervisor_dies_saves_and_ends() -> None:
    rundir = submit("forever")
    engine = engine_pid(rundir)
    os.kill(supervisor_pid(rundir), signal.SIGKILL)
    wait_until(lambda: gone(engine), timeout=10)
    assert verdict(rundir).status == "stopped"
    done = state.load(rundir).step
    assert rundir.last.read_text() == str(done)
    control.resume(rundir)
    wait_until(lambda: state.load(rundir).step > done)


def test_a_run_whose_supervisor_and_engine_die_is_lost() -> None:
    rundir = submit("forever")
    engine, supervisor = engine_pid(rundir), supervisor_pid(rundir)
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(engine, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    found = wait_for_status(rundir, "lost")
    assert "supervisor" in found.reason
    assert not rundir.exit.exists()


def test_two_supervisors_never_work_on_one_run() -> None:
    rundir = submit("forever")
    engine = engine_pid(rundir)
    with pytest.raises(control.RunError):
        submit_run(rundir)
    with pytest.raises(control.RunError):
        control.resume(rundir)
    assert engine_pid(rundir) == engine
    assert verdict(rundir).status == "running"


def test_code_that_changed_since_the_submission_is_reported() -> None:
    rundir = create_run(config(), [])
    submission = json.loads(rundir.config.read_text())
    submission["code_fingerprint"] = "0" * 12
    rundir.config.write_text(json.dumps(submission))
    submit_run(rundir)
    wait_for_status(rundir, "done")
    (note,) = state.load(rundir).notes
    assert "changed" in note.message
    assert "0" * 12 in note.message


def test_a_run_on_a_gpu_that_does_not_exist_says_so() -> None:
    rundir = create_run(config(), [])
    submission = json.loads(rundir.config.read_text())
    submission["config"]["device"] = "cuda:7"
    rundir.config.write_text(json.dumps(submission))
    with pytest.raises(control.RunError, match="cannot be started: device = cuda:7 is not there"):
        submit_run(rundir)
    found = verdict(rundir)
    assert (found.status, "cuda:7" in found.reason) == ("lost", True)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_run_on_a_full_disk_ends_with_a_true_status(home: Path) -> None:
    with small_disk(home, "256k"):
        rundir = submit("forever")
        engine, supervisor = engine_pid(rundir), supervisor_pid(rundir)
        fill(home / "filler")
        os.kill(engine, signal.SIGKILL)
        wait_until(lambda: gone(supervisor))
        assert verdict(rundir).status == "lost"
        (home / "filler").unlink()
        control.resume(rundir)
        engine_pid(rundir)
        control.stop(rundir, now=True)
        wait_until(lambda: gone(supervisor_pid(rundir)))


def fill(path: Path) -> None:
    """Fill a disk to its last byte."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 12))


def test_the_tests_of_the_supervisor_run_the_stand_in_engine() -> None:
    code = (
        "import engine.__main__ as main, engine.protocol.events as events; print(main.__file__); print(events.__file__)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    stand_in, real = done.stdout.split()
    assert Path(stand_in).is_relative_to(FAKE)
    assert not Path(real).is_relative_to(FAKE)
