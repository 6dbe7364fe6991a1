"""The keeper starts queued runs in their order, is one per host, ends with the queue, and may die at any time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fastadv_tui.paths import ensure_home
from fastadv_tui.runs import control, state
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.submit import put_in_queue, serve
from fastadv_tui.supervise import keeper, records
from fastadv_tui.supervise.detach import Starter
from fastadv_tui.supervise.keeper import keep, revive, start_runs
from fastadv_tui.supervise.keeper_life import keeper_alive
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.process_identity import ProcessIdentity
from fastadv_tui.supervise.queue import FullTicket, RunQueue
from fastadv_tui.supervise.records import ProcessRecord, QueueRecord
from fastadv_tui.supervise.slots import CPU, free_slot
from tests.support.runs import config, engine_pid, gone, submit, verdict, wait_for_status
from tests.support.shell import fastadv
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("fake_engine")


def here() -> RunQueue:
    return RunQueue.of_home()


def keeper_pid() -> int:
    record = wait_until(lambda: records.read(here().slots / "keeper.json", ProcessIdentity))
    return record.pid


def test_no_keeper_is_started_for_a_run_that_starts_at_once() -> None:
    wait_for_status(submit(), "done")
    assert not (here().slots / "keeper.json").exists()


def test_queued_runs_have_no_process_but_one_small_keeper_which_ends_with_the_queue() -> None:
    first, *queued = submit("forever"), *(submit() for _ in range(5))
    engine_pid(first)
    pid = keeper_pid()
    assert all(not rundir.process.exists() for rundir in queued)
    assert psutil.Process(pid).memory_info().rss < 40e6
    assert os.getsid(pid) != os.getsid(0)
    control.stop(first)
    for rundir in queued:
        wait_for_status(rundir, "done")
    begun = [state.load(rundir).begun for rundir in (first, *queued)]
    assert begun == sorted(begun)
    wait_until(lambda: gone(pid))
    assert not keeper_alive(here())


def test_the_keeper_starts_a_run_when_a_process_that_hands_nothing_over_frees_the_slot() -> None:
    ensure_home()
    here().slots.mkdir()
    slot = free_slot(here().slots, CPU, 1)
    assert slot is not None
    rundir = submit()
    assert verdict(rundir).status == "queued"
    os.close(slot.handle)
    wait_for_status(rundir, "done")


def test_a_second_keeper_ends_at_once() -> None:
    first = submit("forever")
    engine_pid(first)
    submit()
    pid = keeper_pid()
    revive(here())
    command = [sys.executable, "-P", "-m", "fastadv_tui.supervise.keeper", str(here().slots.parent)]
    subprocess.run(command, check=True)
    assert keeper_pid() == pid


@pytest.mark.parametrize("reviver", ["command", "submission", "supervisor"])
def test_a_keeper_that_was_killed_is_revived(reviver: str) -> None:
    first, second = submit("forever"), submit()
    engine_pid(first)
    os.kill(keeper_pid(), signal.SIGKILL)
    wait_until(lambda: not keeper_alive(here()))
    assert verdict(second).status == "queued"
    if reviver == "command":
        assert fastadv("presets").returncode == 0
        assert keeper_alive(here())
    elif reviver == "submission":
        submit()
        assert keeper_alive(here())
    control.stop(first)
    wait_for_status(second, "done")


def test_a_queue_without_a_keeper_says_so_once_the_run_is_not_new() -> None:
    first, second = submit("forever"), submit()
    engine_pid(first)
    pid = keeper_pid()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not keeper_alive(here()))
    record = records.read(second.queued, QueueRecord)
    assert record is not None
    records.write(second.queued, QueueRecord(attempt=record.attempt, host=record.host, t=record.t - 60))
    assert (verdict(second).status, verdict(second).reason) == ("queued", "no keeper is alive")


def test_a_keeper_on_another_host_is_judged_by_its_signs_of_life(home: Path) -> None:
    queue = RunQueue.of_home("elsewhere")
    queue.tickets.mkdir(parents=True)
    record = queue.slots / "keeper.json"
    records.write(record, ProcessIdentity(host="elsewhere", boot="b", pid=1, start=1.0))
    assert keeper_alive(queue)
    os.utime(record, (time.time() - 120, time.time() - 120))
    assert not keeper_alive(queue)
    assert not keeper_alive(RunQueue.of_home("nowhere"))


def test_a_paused_queue_starts_no_run_until_it_continues() -> None:
    here().pause()
    rundir = submit()
    assert (verdict(rundir).status, verdict(rundir).reason) == ("queued", "queue paused")
    assert start_runs(here()) == 1
    here().unpause()
    serve(here())
    wait_for_status(rundir, "done")


def test_a_run_starts_in_the_environment_of_its_submitter(monkeypatch: pytest.MonkeyPatch) -> None:
    first = submit("forever")
    engine_pid(first)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "7")
    second = submit()
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_")
    control.stop(first)
    wait_for_status(second, "done")
    begun = state.load(second).started
    assert begun is not None
    assert begun.versions["MALLOC_TRIM_THRESHOLD_"] == "7"


def test_a_ticket_that_a_killed_process_left_behind_does_not_start_its_run_again() -> None:
    rundir = create_run(config("forever"), [])
    put_in_queue(rundir, here())
    ticket = here().full_ticket(rundir.id)
    assert ticket is not None
    serve(here())
    engine = engine_pid(rundir)
    here().add(ticket)
    control.stop(rundir)
    wait_for_status(rundir, "stopped")
    assert start_runs(here()) == 0
    process = records.read(rundir.process, ProcessRecord)
    assert (process and process.attempt, gone(engine)) == (1, True)


def test_a_run_whose_interpreter_is_gone_is_lost_with_the_reason() -> None:
    first, second = submit("forever"), create_run(config(), [])
    engine_pid(first)
    put_in_queue(second, here())
    path = here().tickets / second.id
    path.write_text(json.dumps(json.loads(path.read_text()) | {"python": "/no/such/python"}))
    control.stop(first)
    found = wait_for_status(second, "lost")
    assert "/no/such/python" in found.reason
    wait_until(lambda: not here().waiting())  # the ticket goes after the record


def test_a_run_whose_folder_was_removed_leaves_the_queue() -> None:
    first, second, third = submit("forever"), submit(), submit()
    engine_pid(first)
    subprocess.run(["rm", "-r", second.path], check=True)
    control.stop(first)
    wait_for_status(third, "done")


def test_a_run_whose_ticket_is_gone_is_lost_and_can_be_resumed() -> None:
    here().pause()
    rundir = submit()
    here().remove(rundir.id)
    record = records.read(rundir.queued, QueueRecord)
    assert record is not None
    records.write(rundir.queued, QueueRecord(attempt=1, host=record.host, t=record.t - 60))
    assert (verdict(rundir).status, verdict(rundir).reason) == ("lost", "its place in the queue is gone")
    here().unpause()
    control.resume(rundir)
    wait_for_status(rundir, "done")


def test_a_queue_on_another_host_is_named_and_its_runs_can_be_cancelled() -> None:
    here().pause()
    rundir = submit()
    elsewhere = here().slots.rename(here().slots.with_name("elsewhere"))
    record = records.read(rundir.queued, QueueRecord)
    assert record is not None
    records.write(rundir.queued, QueueRecord(attempt=1, host="elsewhere", t=record.t))
    found = verdict(rundir)
    assert (found.status, found.host, found.reason) == ("queued", "elsewhere", "on elsewhere, queue paused")
    assert control.stop(rundir)
    assert (verdict(rundir).status, os.listdir(elsewhere / "queue")) == ("cancelled", [])


def test_a_run_that_cannot_start_on_a_full_disk_keeps_its_place() -> None:
    here().pause()
    rundir = submit()
    here().unpause()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper, "start_supervisor", full)
        patch.setattr(records, "write", full)
        with pytest.raises(OSError, match="No space left"):
            start_runs(here())
    assert verdict(rundir).status == "queued"
    serve(here())
    wait_for_status(rundir, "done")


def test_a_run_that_comes_while_the_keeper_ends_is_kept_by_the_same_keeper_which_holds_its_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue, held = here(), list[bool]()
    queue.tickets.mkdir(parents=True)
    ticket = FullTicket(order=1.0, id="late", attempt=1, devices=(CPU,), python="", environment=[])

    def work(queue: RunQueue) -> None:
        held.append(try_lock(queue.slots / "keeper.lock") is None)
        if len(held) == 1:
            queue.add(ticket)
        else:
            queue.remove(ticket.id)

    monkeypatch.setattr(keeper, "_start_while_some_wait", work)
    reader, writer = os.pipe()
    keep(queue, Starter(writer).tell)
    assert (held, os.read(reader, 9)) == ([True, True], b"1")
    assert not keeper_alive(queue)
    os.close(reader)
