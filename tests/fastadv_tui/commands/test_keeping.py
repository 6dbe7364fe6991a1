"""Commands lose nothing that a user wrote or a run left: notes, rows, weights, and runs that share a prefix."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from engine.protocol.events import Finished, Note
from engine.protocol.rundir import RunDir
from fastadv_tui.history.index import History, HistoryError
from fastadv_tui.history.notes import read_notes
from fastadv_tui.history.selection import find_run
from fastadv_tui.paths import ensure_home, history_path, runs_dir
from fastadv_tui.runs import control
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.records import ProcessRecord
from tests.support.events import evaluated, started, write_events
from tests.support.processes import TOKEN, kill_all, with_token
from tests.support.runs import make_run, submit, supervisor_pid, verdict, wait_for_status
from tests.support.shell import FASTADV, fastadv
from tests.support.waiting import seconds, wait_until

MONTHS = 60 * 86400.0


@pytest.fixture(autouse=True)
def _home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ensure_home()


def ended(name: str, age: float) -> RunDir:
    """A run that was submitted months ago and ended `age` seconds ago, with weights of 3 MB."""
    rundir = make_run(runs_dir() / name, submitted=time.time() - MONTHS)
    write_events(rundir, Finished(status="done", step=1, t=time.time() - age))
    for path, size in ((rundir.last, 1_000_000), (rundir.best, 2_000_000)):
        path.write_bytes(b"0" * size)
    return rundir


def test_prune_removes_the_weights_of_old_runs_and_nothing_else() -> None:
    old, fresh, pinned = ended("old", MONTHS), ended("fresh", 60.0), ended("pinned", MONTHS)
    History().edit(pinned, lambda notes: setattr(notes, "pinned", True))
    done = fastadv("prune", "--older", "30d", "--yes")
    assert (done.returncode, done.stderr.splitlines()) == (0, [
        "2 checkpoint(s) of runs older than 30d: 3.0 MB", "3.0 MB freed",
    ])  # fmt: skip
    assert [path.name for path in sorted(old.path.iterdir())] == ["config.json", "events.jsonl", "lock"]
    assert all(rundir.last.exists() and rundir.best.exists() for rundir in (fresh, pinned))


def test_prune_does_not_remove_the_weights_of_a_live_run() -> None:
    """The run was resumed while the question was on the screen."""
    rundir = ended("old", MONTHS)
    supervisor = try_lock(rundir.lock)
    assert supervisor is not None
    assert control.remove_checkpoints(rundir) == 0
    os.close(supervisor)
    assert control.remove_checkpoints(rundir) == 3_000_000


@pytest.mark.parametrize("content", [b"", b"\xff", b'{"tags": 3}', b'{"tags": ["paper"], "note": "to'])
def test_notes_that_cannot_be_read_are_not_overwritten(content: bytes) -> None:
    rundir = ended("a", 60.0)
    rundir.notes.write_bytes(content)
    with pytest.raises(HistoryError, match=r"notes\.json is damaged.*move it away"):
        History().edit(rundir, lambda notes: notes.tags.append("new"))
    assert rundir.notes.read_bytes() == content
    rundir.notes.unlink()
    rundir.notes.mkdir()  # a folder cannot be opened as a file, not even by root
    with pytest.raises(HistoryError, match=r"notes\.json"):
        History().edit(rundir, lambda notes: notes.tags.append("new"))


def test_a_run_whose_files_could_not_be_read_once_is_not_lost_for_ever() -> None:
    """On a network file system process.json or the folder may be unreadable for a moment."""
    rundir = make_run(runs_dir() / "a", submitted=time.time() - 3600)
    assert [(row.status, row.reason) for row in History().rows()] == [("lost", "the run was never started")]
    me = process_identity.me()
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=me, engine=me))
    assert [row.status for row in History().rows()] == ["running"]
    rundir.path.rename(runs_dir().parent / "away")
    assert [(row.status, row.reason) for row in History().rows()] == [("lost", "the run folder is missing")]
    (runs_dir().parent / "away").rename(rundir.path)
    assert [row.status for row in History().rows()] == ["running"]


def test_a_full_id_means_its_run_though_another_id_begins_with_it() -> None:
    for name in ("k3f9x2", "k3f9x2-old"):
        make_run(runs_dir() / name)
    assert find_run("k3f9x2").id == "k3f9x2"


def test_logs_with_n_0_prints_no_lines() -> None:
    ended("a", 60.0).log.write_text("one\ntwo\n")
    assert fastadv("logs", "a", "-n", "0").stdout == ""


def test_logs_prints_the_events_and_then_the_output_of_the_process() -> None:
    rundir = ended("a", 60.0)
    rundir.log.write_text("one\ntwo\n")
    events = started(), Note(message="a note"), evaluated(10, clean=0.3, robust=0.2), Finished(status="done", step=10)
    write_events(rundir, *events)
    shown = fastadv("logs", "a").stdout.splitlines()
    assert "training and" in shown[0]
    assert any(re.fullmatch(r"\d\d-\d\d \d\d:\d\d:\d\d a note", line) for line in shown)
    assert any("clean  30.0%" in line and "20.0%" in line for line in shown)
    assert shown[-2:] == ["one", "two"]
    assert fastadv("logs", "a", "-n", "1").stdout == "two\n"


def test_logs_of_a_failed_run_ends_with_its_traceback_and_reason_however_long_it_trained() -> None:
    rundir = make_run(runs_dir() / "a")
    events = [evaluated(number, t=time.time()) for number in range(1, 301)]
    write_events(rundir, started(), *events, Finished(status="failed", step=300, error="ValueError: boom"))
    rundir.log.write_text("Traceback (most recent call last):\nValueError: boom\n")
    *traceback, reason = fastadv("logs", "a").stdout.splitlines()[-3:]
    assert traceback == ["Traceback (most recent call last):", "ValueError: boom"]
    assert reason.endswith(" failed: ValueError: boom")


def test_logs_with_follow_prints_each_new_line_once_until_the_run_ends(tmp_path: Path) -> None:
    rundir, me, said = make_run(runs_dir() / "a"), process_identity.me(), tmp_path / "said"
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=me, engine=me))
    write_events(rundir, started(t=time.time()))
    with said.open("w") as out, subprocess.Popen([*FASTADV, "logs", "a", "-f"], stdout=out) as follower:
        wait_until(lambda: "training and" in said.read_text())
        write_events(rundir, evaluated(10, clean=0.3, t=time.time()))
        rundir.log.write_text("a warning\n")
        wait_until(lambda: "30.0%" in said.read_text() and "a warning" in said.read_text())
        write_events(rundir, Finished(status="stopped", step=10, t=time.time()))
        rundir.process.unlink()
        assert follower.wait(seconds(20)) == 0
    lines = said.read_text().splitlines()
    assert (len(lines), lines[-1].split()[-1]) == (4, "stopped")


def test_a_run_whose_history_cannot_be_written_starts_and_the_command_says_so() -> None:
    history_path().mkdir()
    done = fastadv("run", "digits", "--epochs", "1", "--eval", "none", "--set", "model.width=4", "--detach")
    (folder,) = runs_dir().iterdir()
    assert (done.returncode, done.stdout.split()) == (0, [folder.name])
    assert "cannot write the history" in done.stderr
    wait_until(lambda: verdict(RunDir(folder)).status in ("running", "done"), timeout=60)
    kill_all(lambda: with_token(os.environ[TOKEN]))


@pytest.mark.usefixtures("fake_engine")
def test_a_run_is_not_resumed_if_the_history_cannot_be_written() -> None:
    rundir = submit("forever")
    supervisor_pid(rundir)
    control.stop(rundir)
    wait_for_status(rundir, "stopped")
    before = rundir.process.read_bytes()
    history_path().unlink(missing_ok=True)
    history_path().mkdir()
    done = fastadv("resume", rundir.id, "--detach")
    assert done.returncode == 2
    assert "cannot write the history" in done.stderr
    assert rundir.process.read_bytes() == before


@pytest.mark.parametrize("words", [("eval", "~nosuch/w.pt", "--dataset", "digits"), ("show", "nobody")])
def test_unknown_users_and_unknown_runs_are_refused_in_one_line(words: tuple[str, ...]) -> None:
    done = fastadv(*words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr


def test_a_home_that_is_no_folder_is_refused_in_one_line() -> None:
    runs_dir().rmdir()
    runs_dir().write_text("in the way")
    for words in (("runs",), ("show", "last")):
        done = fastadv(*words)
        assert done.returncode in (1, 2)
        assert len(done.stderr.splitlines()) == 1, done.stderr


def test_tags_are_read_back_as_they_were_written() -> None:
    rundir = ended("a", 60.0)
    History().edit(rundir, lambda notes: notes.tags.append("paper"))
    assert read_notes(rundir).tags == ["paper"]


def test_a_typed_tag_is_added_and_a_minus_takes_a_tag_off() -> None:
    rundir = ended("a", 60.0)
    for words, tags in (
        (["paper", "old"], ["paper", "old"]),
        (["new", "paper"], ["paper", "old", "new"]),
        (["--", "-old", "last"], ["paper", "new", "last"]),
    ):
        assert fastadv("tag", "a", *words).returncode == 0
        assert read_notes(rundir).tags == tags


@pytest.mark.parametrize("words", [[""], ["a b"], ["x,y"], ["a\nb"]])
def test_what_a_filter_could_not_name_is_no_tag(words: list[str]) -> None:
    rundir = ended("a", 60.0)
    refused = fastadv("tag", "a", *words)
    assert (refused.returncode, read_notes(rundir).tags) == (2, [])
    assert len(refused.stderr.splitlines()) == 1
    assert "is no tag: a tag is one word without commas" in refused.stderr


def test_a_second_run_is_not_taken_for_a_tag() -> None:
    one, two = ended("a", 60.0), ended("b", 60.0)
    refused = fastadv("tag", "a", "b", "paper")
    assert (refused.returncode, read_notes(one).tags, read_notes(two).tags) == (2, [], [])
    assert "b is a run, not a tag; write several runs with commas: `fastadv tag RUN,b TAG`" in refused.stderr


def test_what_was_not_there_to_be_removed_is_said() -> None:
    ended("a", 60.0)
    assert "a: no tags (it had no tag old)" in fastadv("tag", "a", "--", "-old").stderr
    assert "a: the note is removed" in fastadv("note", "a", "").stderr
