"""Submitting, starting, stopping and deleting runs, and requests that are refused."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.protocol.events import Finished
from engine.protocol.files import write_atomic
from engine.protocol.provenance import code_fingerprint
from engine.protocol.rundir import RunDir, SubmissionError
from fastadv_tui.errors import HomeError
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.history.selection import find_run
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs import control, create, find
from fastadv_tui.runs.control import RunError
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.find import RunNotFoundError
from fastadv_tui.runs.submit import put_in_queue, serve, submit_run
from fastadv_tui.supervise.queue import RunQueue
from tests.support.events import write_events
from tests.support.runs import config, engine_pid, make_run, verdict, wait_for_status


def ended_run(folder: Path, status: str) -> RunDir:
    """A run directory of a finished run that had no supervisor."""
    rundir = make_run(folder)
    write_events(rundir, Finished(status=status))  # type: ignore[arg-type]
    return rundir


def test_a_submission_is_whole_and_readable_by_the_user_alone(home: Path) -> None:
    before = time.time()
    rundir = create_run(config("a name\n[red]\U0001f600/../x"), ["fastadv", "run", "digits"], slots=2)
    submission = rundir.submission()
    assert submission.config == config("a name\n[red]\U0001f600/../x")
    assert submission.id == rundir.id == rundir.path.name
    assert before <= submission.submitted <= time.time()
    assert submission.code_fingerprint == code_fingerprint()
    assert (submission.command, submission.slots) == (["fastadv", "run", "digits"], 2)
    assert rundir.path.parent == home / "runs"
    for folder in (home, home / "runs", home / "slots", rundir.path):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_run_is_found_by_the_beginning_of_its_id(home: Path) -> None:
    first, second = create_run(config(), []), create_run(config(), [])
    assert find_run(first.id).path == first.path
    assert find_run("last").path == second.path
    for name in ("", "nothing", "../" + first.id):
        with pytest.raises(find.RunNotFoundError):
            find_run(name)


def test_many_runs_are_found_with_one_look_at_the_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"r{number:03d}" for number in range(60)]
    for name in names:
        make_run(home / "runs" / name)
    looks, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: looks.append(folder) or scandir(folder))
    assert History().find_ids([*names, *names]) == names
    assert looks == [home / "runs"]


def test_an_ambiguous_beginning_of_an_id_is_refused_with_the_runs_that_match(home: Path) -> None:
    for name in ("abc1", "abc2"):
        make_run(home / "runs" / name)
    with pytest.raises(find.RunNotFoundError, match="abc1, abc2"):
        find_run("abc")
    assert find_run("abc2").id == "abc2"


def test_a_home_that_cannot_be_written_is_refused_in_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FASTADV_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(HomeError, match="FASTADV_HOME") as caught:
        create_run(config(), [])
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root to mount a read-only folder")
def test_a_submission_to_a_read_only_home_is_refused_in_one_clear_line(home: Path) -> None:
    home.mkdir(mode=0o700)
    rundir = make_run(home / "runs" / "old")
    for arguments in (["--bind", home, home], ["-o", "remount,bind,ro", home]):
        if subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode:
            pytest.skip("this machine does not allow a mount")
    try:
        for refused in (
            lambda: create_run(config(), []),
            lambda: submit_run(rundir),
            lambda: control.stop(rundir),
        ):
            with pytest.raises(HomeError):
                refused()
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=True)


def test_a_run_that_is_done_can_be_neither_resumed_nor_stopped(home: Path) -> None:
    done = ended_run(home / "runs" / "done", "done")
    with pytest.raises(RunError, match="done"):
        control.resume(done)
    with pytest.raises(RunError, match="ended"):
        control.stop(done)


def test_a_run_that_is_stopping_is_not_resumed(home: Path) -> None:
    rundir = make_run(home / "runs" / "k3f9", submitted=time.time())
    assert not control.stop(rundir)
    with pytest.raises(RunError, match="k3f9 is stopping; resume it when it has stopped"):
        control.resume(rundir)
    assert rundir.stop_asked()


def test_a_run_whose_configuration_cannot_be_read_is_not_resumed(home: Path) -> None:
    rundir = ended_run(home / "runs" / "k3f9", "stopped")
    rundir.config.write_bytes(rundir.config.read_bytes().replace(b'"seed":', b'"sead":1,"seed":'))
    with pytest.raises(SubmissionError, match=r"k3f9: config\.json has the unknown setting sead"):
        control.resume(rundir)
    assert not rundir.process.exists()


@pytest.mark.usefixtures("fake_engine")
def test_a_run_is_deleted_only_after_it_has_ended() -> None:
    rundir = create_run(config("forever"), [])
    submit_run(rundir)
    engine_pid(rundir)
    with pytest.raises(RunError, match="stop"):
        control.delete(rundir)
    control.stop(rundir, now=True)
    wait_for_status(rundir, "stopped")
    control.delete(rundir)
    assert not rundir.path.exists()
    assert runs_dir().exists()


def test_deleting_never_touches_files_outside_of_the_runs_folder(home: Path, tmp_path: Path) -> None:
    elsewhere = ended_run(tmp_path / "elsewhere", "done")
    (home / "runs").mkdir(parents=True)
    (home / "runs" / "link").symlink_to(elsewhere.path)
    inside = ended_run(home / "runs" / "inside", "done")
    (inside.path / "link").symlink_to(elsewhere.path)
    for outside in (elsewhere, RunDir(home / "runs" / "link"), RunDir(home / "runs" / ".." / ".." / "elsewhere")):
        with pytest.raises(RunError):
            control.delete(outside)
    control.delete(inside)
    assert elsewhere.config.exists()


@pytest.mark.usefixtures("fake_engine")
def test_a_supervisor_that_cannot_start_is_reported_with_its_log() -> None:
    rundir = create_run(config(), [])
    put_in_queue(rundir, RunQueue.of_home())
    rundir.config.write_text("{}")
    serve(RunQueue.of_home())
    found = verdict(rundir)
    assert (found.status, "its supervisor ended with exit code 2; see engine.log" in found.reason) == ("lost", True)
    assert "config.json has a value that is not allowed" in rundir.log.read_text()
    assert verdict(rundir).status == "lost"


def test_a_run_is_never_seen_without_its_configuration(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer that saw a folder without its configuration would record the run as lost."""
    seen: list[list[Row]] = []

    def write(path: Path, content: bytes) -> None:
        seen.append(History().rows())
        with pytest.raises(RunNotFoundError):
            find_run("last")
        write_atomic(path, content)
        seen.append(History().rows())

    monkeypatch.setattr(create, "write_atomic", write)
    rundir = create_run(config(), ["fastadv"])
    assert seen == [[], []]
    assert [row.id for row in History().rows()] == [rundir.id] == [path.name for path in runs_dir().iterdir()]
    assert rundir.submission().id == rundir.id
