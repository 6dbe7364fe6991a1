"""The monitor of all runs when reads of the home folder fail, as on a network file system."""

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.monitor import MonitoredRun, RunMonitor
from fastadv_tui.dashboard.snapshot import LiveRun
from fastadv_tui.history import index
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.runs import control
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.keeper_life import keeper_alive
from fastadv_tui.supervise.process_identity import ProcessIdentity
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.records import ProcessRecord
from fastadv_tui.text.tail import LineFollower
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import engine_pid, make_run, submit
from tests.support.waiting import wait_until

AWAY = OSError(errno.ESTALE, "Stale file handle")


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def test_a_refresh_that_failed_is_repeated_though_nothing_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second refresh finds no change, but must return the rows that the failed refresh did not."""
    monitor = RunMonitor()
    make_run(runs_dir() / "first")
    assert [row.id for row in monitor.refresh([]).rows] == ["first"]
    make_run(runs_dir() / "second")

    def look(followed: MonitoredRun) -> LiveRun:
        raise AWAY

    with monkeypatch.context() as patch:
        patch.setattr(MonitoredRun, "look", look)
        with pytest.raises(OSError, match="Stale"):
            monitor.refresh([])
    assert {row.id for row in monitor.refresh([]).rows} == {"first", "second"}


def test_a_notice_of_many_failed_refreshes_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(range(100))

    def sync(history: History) -> list[Row]:
        history.notices.append("the history cannot be read")
        if next(looks) < 50:
            raise AWAY
        return []

    monkeypatch.setattr(History, "sync", sync)
    monitor = RunMonitor()
    for _ in range(50):
        with pytest.raises(OSError, match="Stale"):
            monitor.refresh([])
    assert monitor.refresh([]).notices == ["the history cannot be read"]


@pytest.mark.parametrize("found", [0, 1])
def test_a_run_that_is_forgotten_while_the_rows_are_read_does_not_stay(
    found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen in the list of a busy machine: the ghost of a deleted run. found: runs that the reader writes itself."""
    make_run(runs_dir() / "stays")
    make_run(runs_dir() / "goes")
    monitor, read = RunMonitor(), index.read_rows
    assert len(monitor.refresh([]).rows) == 2

    def read_then_forget(path: Path) -> list[Row]:
        rows = read(path)
        if any(row.id == "goes" for row in rows):
            History().remove("goes")
        return rows

    shutil.rmtree(runs_dir() / "goes")
    for number in range(found):
        make_run(runs_dir() / f"new{number}")
    History().edit(RunDir(runs_dir() / "stays"), lambda notes: notes.tags.append("new"))
    with monkeypatch.context() as patch:
        patch.setattr(index, "read_rows", read_then_forget)
        monitor.refresh([])
    assert {row.id for row in monitor.refresh([]).rows} == {"stays", *(f"new{number}" for number in range(found))}


def test_the_history_is_read_once_for_what_the_monitor_writes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live run changes its row with each step. Were its own writes news, each refresh would read all rows."""
    make_run(runs_dir() / "first")
    monitor, reads = RunMonitor(), 0
    monitor.refresh([])
    make_run(runs_dir() / "second")
    read = index.read_rows

    def counted(path: Path) -> list[Row]:
        nonlocal reads
        reads += 1
        return read(path)

    monkeypatch.setattr(index, "read_rows", counted)
    for _ in range(3):
        monitor.refresh([])
    assert reads == 1


def test_the_row_of_a_live_run_has_all_that_its_events_tell() -> None:
    """The row of the history and the row of the dashboard must not tell different figures."""
    rundir, me = make_run(runs_dir() / "a1"), process_identity.me()
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=me, engine=me, device="cpu"))
    write_events(rundir, started(flops=10**9), step(10))
    monitor = RunMonitor()
    (before,) = monitor.refresh([]).rows
    write_events(rundir, step(40, elapsed=25.0), evaluated(40, images=360, robust=0.4))
    (now,) = monitor.refresh([]).rows
    assert (now.images, now.duration, now.best_robust) == (360, 25.0, 0.4)
    assert now == History().get("a1")
    assert before.images == 0  # a screen that keeps the old row sees the change


def test_a_log_that_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    assert LineFollower(tmp_path / ("long" * 100)).poll() == []


def test_a_stop_request_that_cannot_be_looked_for_counts_as_none(tmp_path: Path) -> None:
    """A fault of the file system must not stop a long training, nor end its supervisor."""
    assert not RunDir(tmp_path / ("long" * 100)).stop_asked()
    rundir = make_run(runs_dir() / "a")
    assert not rundir.stop_asked()
    rundir.request_stop()
    assert rundir.stop_asked()


@pytest.mark.usefixtures("fake_engine")
def test_runs_that_wait_have_a_place_and_are_not_followed_until_they_start() -> None:
    first = submit("forever")
    engine_pid(first)
    second, third = submit("forever"), submit()
    monitor = RunMonitor()
    found = monitor.refresh([])
    assert (found.places, list(found.views), found.held_up) == ({second.id: 1, third.id: 2}, [first.id], "")
    assert {row.id: row.status for row in found.rows} == {
        first.id: "running",
        second.id: "queued",
        third.id: "queued",
    }
    assert third.id in monitor.refresh([third.id]).views  # the run under the cursor

    control.stop(third)
    RunQueue.of_home().pause()
    found = monitor.refresh([])
    assert (found.places, found.held_up, found.count("cancelled")) == ({second.id: 1}, "queue paused", 1)

    RunQueue.of_home().unpause()
    control.stop(first)
    wait_until(lambda: "running" in {row.status for row in monitor.refresh([]).rows if row.id == second.id})
    assert monitor.refresh([]).places == {}


@pytest.mark.usefixtures("fake_engine")
def test_the_monitor_revives_a_keeper_that_was_killed() -> None:
    first = submit("forever")
    engine_pid(first)
    submit()
    queue, monitor = RunQueue.of_home(), RunMonitor()
    record = records.read(queue.slots / "keeper.json", ProcessIdentity)
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    wait_until(lambda: not keeper_alive(queue))
    monitor.revive_queue()
    assert keeper_alive(queue)
