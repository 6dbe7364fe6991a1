"""The monitor of all runs when reads of the home folder fail, as on a network file system."""

import errno
from pathlib import Path

import pytest

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.monitor import MonitoredRun, RunMonitor
from fastadv_tui.dashboard.snapshot import LiveRun
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.text.tail import LineFollower
from tests.support.runs import make_run

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


def test_a_log_that_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    assert LineFollower(tmp_path / ("long" * 100)).poll() == []


def test_a_stop_request_that_cannot_be_looked_for_counts_as_none(tmp_path: Path) -> None:
    """A fault of the file system must not stop a long training, nor end its supervisor."""
    assert not RunDir(tmp_path / ("long" * 100)).stop_asked()
    rundir = make_run(runs_dir() / "a")
    assert not rundir.stop_asked()
    rundir.request_stop()
    assert rundir.stop_asked()
