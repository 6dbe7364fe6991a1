"""The status of a run, for every combination of events, records and processes after its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from engine.protocol.events import COMPILING, Finished, Starting
from engine.protocol.rundir import RunDir
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.process_identity import ProcessIdentity
from fastadv_tui.supervise.records import ExitRecord, ProcessRecord
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import gone, make_run, verdict
from tests.support.waiting import wait_until


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    return make_run(tmp_path / "run")


@pytest.fixture
def live_process() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that waits to be killed."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def dead_process() -> ProcessIdentity:
    """The identity of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        found = process_identity.of(process.pid)
    assert found is not None
    return found


def supervised(rundir: RunDir, engine: ProcessIdentity | None, supervisor: ProcessIdentity, **fields: int) -> None:
    record = ProcessRecord(**{"attempt": 1, **fields}, supervisor=supervisor, engine=engine)  # type: ignore[arg-type]
    records.write(rundir.process, record)


def exited(rundir: RunDir, code: int | None, attempt: int = 1, **fields: object) -> None:
    record = {"attempt": attempt, "t": 50.0, "code": code, **fields}
    records.write(rundir.exit, msgspec.convert(record, ExitRecord))


def test_a_run_without_a_supervisor_is_queued_for_a_while_only(tmp_path: Path) -> None:
    assert verdict(make_run(tmp_path / "new")).status == "queued"
    old = verdict(make_run(tmp_path / "old", submitted=time.time() - 3600))
    assert (old.status, old.reason) == ("lost", "the run was never started")


def test_a_clock_that_was_set_back_does_not_keep_a_run_queued_for_ever(tmp_path: Path) -> None:
    assert verdict(make_run(tmp_path / "run", submitted=time.time() + 7 * 86400)).status == "lost"


def test_the_status_of_a_run_without_a_supervisor_follows_its_events(rundir: RunDir) -> None:
    write_events(rundir, started(), step(1), Finished(status="failed", error="why"))
    found = verdict(rundir)
    assert (found.status, found.reason) == ("failed", "why")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"id": 1}'])
def test_damaged_files_of_a_run_are_reported_and_never_raise(rundir: RunDir, content: bytes) -> None:
    for file in (rundir.process, rundir.exit, rundir.config, rundir.events):
        file.write_bytes(content)
    found = verdict(rundir)
    assert found.status == "lost"
    assert found.reason


def test_a_run_with_a_live_supervisor_is_queued_and_with_a_live_engine_running(
    rundir: RunDir, live_process: "subprocess.Popen[bytes]"
) -> None:
    supervised(rundir, None, process_identity.me())
    assert verdict(rundir).status == "queued"
    supervised(rundir, process_identity.of(live_process.pid), process_identity.me())
    write_events(rundir, started(), step(1))
    found = verdict(rundir)
    assert (found.status, found.stalled, found.host, found.live) == ("running", False, "", True)


def test_a_running_run_with_a_stop_request_is_stopping_and_no_other_run_is(rundir: RunDir) -> None:
    supervised(rundir, None, process_identity.me())
    rundir.request_stop()
    assert (verdict(rundir).status, verdict(rundir).stopping) == ("queued", False)
    supervised(rundir, process_identity.me(), process_identity.me())
    assert (verdict(rundir).status, verdict(rundir).stopping) == ("running", True)
    rundir.stop.unlink()
    assert not verdict(rundir).stopping
    rundir.request_stop()
    supervised(rundir, dead_process(), dead_process())
    write_events(rundir, Finished(status="stopped"))
    assert (verdict(rundir).status, verdict(rundir).stopping) == ("stopped", False)


def test_a_run_that_says_nothing_is_stalled_and_still_running(rundir: RunDir) -> None:
    supervised(rundir, process_identity.me(), process_identity.me())
    write_events(rundir, started(t=time.time() - 1000))
    found = verdict(rundir)
    assert (found.status, found.stalled) == ("running", True)
    assert "1000 s" in found.reason


def test_a_run_that_compiles_for_minutes_is_not_stalled(rundir: RunDir) -> None:
    supervised(rundir, process_identity.me(), process_identity.me())
    write_events(rundir, Starting(phase=COMPILING, t=time.time() - 1000))
    found = verdict(rundir)
    assert (found.status, found.stalled, found.reason) == ("running", False, "")
    write_events(rundir, started(t=time.time() - 500))
    assert verdict(rundir).stalled


@pytest.mark.parametrize("ending", ["done", "stopped", "failed"])
@pytest.mark.parametrize("code", [0, 1, 130, -signal.SIGSEGV, None], ids=str)
def test_the_finished_event_decides_whatever_the_exit_code(rundir: RunDir, ending: str, code: int | None) -> None:
    supervised(rundir, dead_process(), dead_process())
    write_events(rundir, started(), Finished(status=ending, error="e", t=40.0))  # type: ignore[arg-type]
    if code is not None:
        exited(rundir, code)
    found = verdict(rundir)
    assert (found.status, found.reason, found.ended) == (ending, "e", 40.0)


def test_the_finished_event_is_found_in_a_long_file(rundir: RunDir) -> None:
    supervised(rundir, dead_process(), dead_process())
    write_events(rundir, started(), *[step(number) for number in range(1, 2000)], Finished(status="done"))
    assert rundir.events.stat().st_size > 200_000
    assert verdict(rundir).status == "done"


CAUSES = {
    "kill": ({"code": -signal.SIGKILL}, "the engine was killed by SIGKILL"),
    "oom": ({"code": -signal.SIGKILL, "out_of_memory": True}, "the engine was killed by SIGKILL (out of memory)"),
    "segfault": ({"code": -signal.SIGSEGV}, "killed by SIGSEGV"),
    "odd": ({"code": -63}, "killed by signal 63"),
    "silent": ({"code": 1}, "exit code 1"),
    "unstarted": ({"code": None, "error": "no space"}, "no space"),
}


@pytest.mark.parametrize(("fields", "reason"), CAUSES.values(), ids=CAUSES)
def test_a_dead_run_without_a_finished_event_is_lost_and_says_what_killed_it(
    rundir: RunDir, fields: dict[str, object], reason: str
) -> None:
    supervised(rundir, dead_process(), dead_process())
    write_events(rundir, started(), step(1))
    exited(rundir, **fields)  # type: ignore[arg-type]
    found = verdict(rundir)
    assert found.status == "lost"
    assert reason in found.reason


def test_a_run_that_was_asked_to_stop_is_stopped_and_not_lost(rundir: RunDir) -> None:
    supervised(rundir, dead_process(), dead_process())
    exited(rundir, None, cancelled=True)
    assert (verdict(rundir).status, verdict(rundir).reason) == ("cancelled", "cancelled in the queue")
    exited(rundir, -signal.SIGKILL, killed=True)
    assert verdict(rundir).status == "stopped"


def test_a_run_whose_processes_died_without_a_record_is_lost(rundir: RunDir) -> None:
    supervised(rundir, dead_process(), dead_process())
    write_events(rundir, started(t=30.0), step(1, t=40.0))
    found = verdict(rundir)
    assert (found.status, found.ended) == ("lost", 40.0)
    assert "supervisor" in found.reason


def test_a_run_whose_supervisor_is_dead_still_runs_while_its_engine_lives(
    rundir: RunDir, live_process: "subprocess.Popen[bytes]"
) -> None:
    supervised(rundir, process_identity.of(live_process.pid), dead_process())
    assert verdict(rundir).status == "running"
    live_process.kill()
    live_process.wait()
    assert verdict(rundir).status == "lost"


def test_the_end_of_an_earlier_attempt_says_nothing_of_the_present_one(
    rundir: RunDir, live_process: "subprocess.Popen[bytes]"
) -> None:
    write_events(rundir, started(), step(1), Finished(status="failed", error="old"))
    exited(rundir, 1)
    before = rundir.events.stat().st_size
    supervised(rundir, process_identity.of(live_process.pid), process_identity.me(), attempt=2, events_before=before)
    assert verdict(rundir).status == "running"
    supervised(rundir, None, process_identity.me(), attempt=2, events_before=before)
    assert verdict(rundir).status == "queued"
    supervised(rundir, dead_process(), dead_process(), attempt=2, events_before=before)
    assert verdict(rundir).status == "lost"
    exited(rundir, -signal.SIGKILL, attempt=2)
    assert verdict(rundir).reason == "the engine was killed by SIGKILL"
    write_events(rundir, Finished(status="stopped"))
    assert verdict(rundir).status == "stopped"


def test_a_run_from_before_a_restart_of_the_machine_is_lost(rundir: RunDir) -> None:
    before = msgspec.structs.replace(process_identity.me(), boot="another-boot")
    supervised(rundir, before, before)
    found = verdict(rundir)
    assert found.status == "lost"
    assert "restarted" in found.reason


def test_a_run_of_another_host_is_never_judged_by_a_local_pid(rundir: RunDir) -> None:
    there = msgspec.structs.replace(process_identity.me(), host="elsewhere", boot="x", pid=2**22 + 1)
    supervised(rundir, there, there)
    write_events(rundir, started(t=time.time() - 5000))
    found = verdict(rundir)
    assert (found.status, found.host, found.stalled) == ("running", "elsewhere", True)
    assert "elsewhere" in found.reason
    write_events(rundir, Finished(status="done"))
    found = verdict(rundir)
    assert (found.status, found.host) == ("done", "elsewhere")
    exited(rundir, 0)
    assert verdict(rundir).status == "done"


def test_torn_and_foreign_events_do_not_change_the_status(rundir: RunDir) -> None:
    supervised(rundir, dead_process(), dead_process())
    write_events(rundir, started(), evaluated(1))
    with rundir.events.open("ab") as file:
        file.write(b'\x00\xffjunk\n{"type":"finished","status":"done"')
    assert verdict(rundir).status == "lost"


def test_a_process_that_took_over_a_pid_is_not_taken_for_the_one_before(
    live_process: "subprocess.Popen[bytes]",
) -> None:
    found = process_identity.of(live_process.pid)
    assert found is not None
    assert process_identity.alive(found) is True
    assert process_identity.alive(msgspec.structs.replace(found, start=found.start - 1)) is False
    assert process_identity.alive(msgspec.structs.replace(found, boot="another")) is False
    assert process_identity.alive(msgspec.structs.replace(found, host="elsewhere")) is None
    live_process.kill()
    live_process.wait()
    assert process_identity.alive(found) is False
    assert process_identity.of(live_process.pid) is None


def test_a_zombie_is_dead(live_process: "subprocess.Popen[bytes]") -> None:
    found = process_identity.of(live_process.pid)
    assert found is not None
    os.kill(live_process.pid, signal.SIGKILL)
    wait_until(lambda: gone(live_process.pid))
    assert psutil.Process(live_process.pid).is_running()
    assert process_identity.alive(found) is False


def test_a_process_is_identified_without_proc(
    live_process: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process_identity, "PROC", tmp_path)
    found = process_identity.of(live_process.pid)
    assert found is not None
    assert abs(found.start - time.time()) < 60
    assert process_identity.alive(found) is True
    assert process_identity.alive(msgspec.structs.replace(found, start=found.start - 60)) is False
    os.kill(live_process.pid, signal.SIGKILL)
    wait_until(lambda: gone(live_process.pid))
    assert process_identity.alive(found) is False


def test_a_run_whose_folder_was_deleted_says_so(tmp_path: Path) -> None:
    """Its `config.json` cannot be read either, but that would send the user to look for a damaged file."""
    found = verdict(RunDir(tmp_path / "gone"))
    assert (found.status, found.reason) == ("lost", "the run folder is missing")
    (tmp_path / "torn").mkdir()
    assert verdict(RunDir(tmp_path / "torn")).reason == "config.json cannot be read"
