"""Notifications come from the supervisor, with no dashboard open, and no target can hold up or harm a run."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.protocol.events import Alarm, Step
from engine.protocol.rundir import RunDir
from fastadv_tui.notify.settings import NotifySettings, save
from fastadv_tui.paths import ensure_home, notify_path, runs_dir
from fastadv_tui.runs import control
from fastadv_tui.supervise import notices
from fastadv_tui.supervise.notices import Notices
from fastadv_tui.supervise.records import STALLED_SECONDS
from tests.support.events import write_events
from tests.support.processes import TOKEN, command_line, with_token
from tests.support.runs import (
    edit_config,
    engine_pid,
    exit_record,
    gone,
    make_run,
    submit,
    supervisor_pid,
    wait_for_status,
)
from tests.support.waiting import wait_until
from tests.support.webhook import SECRET, Webhook, webhook

DELIVERER = "fastadv_tui.notify.deliver"


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook that is told of everything."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ensure_home()
    with webhook() as found:
        save(NotifySettings(webhook=found.url))
        yield found


def delivering(happened: str = "") -> bool:
    """Whether a process delivers a notice, of this kind or of any."""
    lines = [command_line(process).split() for process in with_token(os.environ[TOKEN])]
    return any(DELIVERER in words and (not happened or happened in words) for words in lines)


@pytest.mark.usefixtures("fake_engine")
def test_the_end_and_the_failure_of_a_run_are_told(server: Webhook) -> None:
    good = submit("good")
    wait_for_status(good, "done")
    (told,) = wait_until(lambda: server.got)
    assert (told["event"], told["run"], told["name"], told["status"]) == ("end", good.id, "good", "done")
    bad = submit("fail")
    wait_until(lambda: len(server.got) == 2)
    assert (server.got[1]["event"], server.got[1]["title"]) == ("fail", f"fail ({bad.id}) failed")
    assert "as told" in server.got[1]["text"]
    wait_until(lambda: not delivering())


@pytest.mark.usefixtures("fake_engine")
def test_a_run_that_cannot_start_is_told(server: Webhook) -> None:
    """It never had a supervisor: who tried to start it tells."""
    first = submit("forever")
    engine_pid(first)
    second = submit()
    edit_config(second, "seed", "no number")
    control.stop(first, now=True)
    wait_until(lambda: [got for got in server.got if got["run"] == second.id and got["event"] == "fail"])
    wait_until(lambda: not delivering())


@pytest.mark.usefixtures("fake_engine")
def test_fifty_alarms_at_once_are_one_message(server: Webhook) -> None:
    rundir = submit("alarms forever")
    (told,) = wait_until(lambda: server.got)
    assert told["event"] == "alarm"
    assert told["detail"] == "alarm 1 (the first of 50 alarms)"
    control.stop(rundir)
    wait_until(lambda: len(server.got) == 2)
    assert (server.got[1]["event"], server.got[1]["status"]) == ("end", "stopped")
    wait_until(lambda: not delivering())


@pytest.mark.usefixtures("fake_engine")
def test_a_target_that_hangs_holds_up_neither_the_run_nor_the_next_one(server: Webhook) -> None:
    server.hang()
    first, second = submit("alarms forever"), submit("second")
    wait_until(lambda: server.got)
    control.stop(first)
    assert wait_for_status(first, "stopped").reason == ""
    assert wait_for_status(second, "done").reason == ""
    wait_until(lambda: gone(supervisor_pid(first)) and gone(supervisor_pid(second)))
    assert delivering("alarm")  # it still waits for its answer: the end of the engine has not killed it
    assert exit_record(first).code == 130


@pytest.mark.usefixtures("fake_engine")
@pytest.mark.parametrize(("code", "said"), [(500, "webhook at 127.0.0.1: HTTP 500"), (0, "Connection refused")])
def test_a_target_that_fails_is_one_line_in_the_log_of_the_run_without_the_secret(
    code: int, said: str, server: Webhook
) -> None:
    server.code = code
    if not code:
        with webhook() as other:
            save(NotifySettings(webhook=other.url))  # its server is gone after this block
    rundir = submit()
    wait_for_status(rundir, "done")
    wait_until(lambda: said in rundir.log.read_text())
    (line,) = [line for line in rundir.log.read_text().splitlines() if "notify:" in line]
    assert line.endswith("`fastadv notify test` tries it again")
    assert all(SECRET not in path.read_text(errors="replace") for path in rundir.path.iterdir())
    wait_until(lambda: not delivering())


@pytest.mark.usefixtures("fake_engine", "server")
def test_settings_that_cannot_be_read_do_not_touch_the_run() -> None:
    notify_path().write_text(f'webhook = "{SECRET}')
    rundir = submit()
    wait_for_status(rundir, "done")
    wait_until(lambda: "notify.toml cannot be read (it is no TOML file)" in rundir.log.read_text())
    assert SECRET not in rundir.log.read_text()
    wait_until(lambda: not delivering())


class Recorded:
    """Notices whose children are only noted down, at a time that the test sets."""

    def __init__(self, rundir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.started = time.time(), list[tuple[str, int, str]]()
        monkeypatch.setattr(time, "time", lambda: self.now)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.notices = Notices(rundir)
        monkeypatch.setattr(
            Notices, "_start", lambda _, what, count=1, text="": self.started.append((what, count, text))
        )

    def look(self, later: float = 0.0) -> list[tuple[str, int, str]]:
        """The notices that start at a look so many seconds later."""
        self.now += later
        self.started.clear()
        self.notices.look()
        return [*self.started]


@pytest.fixture
def recorded(home: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    ensure_home()
    notify_path().touch()
    return Recorded(make_run(runs_dir() / "a1"), monkeypatch)


def alarm(number: int, t: float) -> Alarm:
    return Alarm(kind="collapse", step=1, epoch=1.0, message=f"alarm {number}", t=t)


def test_a_stall_is_told_once_until_an_event_comes(recorded: Recorded) -> None:
    rundir = RunDir(runs_dir() / "a1")
    assert recorded.look(STALLED_SECONDS - 1) == []
    assert recorded.look(2.0) == [("stall", 1, "")]
    assert recorded.look(1000.0) == []
    write_events(rundir, Step(step=1, epoch=0.1, lr=0.1, loss=1.0, accuracy=0.5, images_per_second=1.0, t=recorded.now))
    assert recorded.look(1.0) == []
    assert recorded.look(STALLED_SECONDS) == [("stall", 1, "")]


def test_alarms_within_a_minute_are_told_together_and_old_ones_never(recorded: Recorded) -> None:
    rundir = RunDir(runs_dir() / "a1")
    write_events(rundir, alarm(0, recorded.now - 1000.0))  # of an earlier attempt
    assert recorded.look() == []
    write_events(rundir, alarm(1, recorded.now))
    assert recorded.look() == [("alarm", 1, "alarm 1")]
    for number in (2, 3):
        write_events(rundir, alarm(number, recorded.now))
        assert recorded.look(1.0) == []
    assert recorded.look(notices.ALARM_PAUSE) == [("alarm", 2, "alarm 2")]
    write_events(rundir, alarm(4, recorded.now))
    assert recorded.look(1.0) == []
    recorded.notices.ended()
    assert recorded.started == [("ended", 1, "")]


def test_without_settings_nothing_is_told(recorded: Recorded) -> None:
    notify_path().unlink()
    write_events(RunDir(runs_dir() / "a1"), alarm(1, recorded.now))
    assert recorded.look(1000.0) == []
    recorded.notices.ended()
    assert recorded.started == []


@pytest.mark.usefixtures("server")
def test_the_settings_are_for_their_owner_only() -> None:
    assert stat.S_IMODE(notify_path().stat().st_mode) == 0o600


@pytest.mark.usefixtures("fake_engine", "server")
def test_a_run_on_its_way_follows_a_change_of_the_settings(server: Webhook) -> None:
    notify_path().unlink()
    rundir = submit("forever")
    engine_pid(rundir)
    save(NotifySettings(webhook=server.url, on=("fail",)))
    control.stop(rundir)
    wait_for_status(rundir, "stopped")
    wait_until(lambda: gone(supervisor_pid(rundir)) and not delivering())
    assert server.got == []  # it was stopped, and only failures are to be told
