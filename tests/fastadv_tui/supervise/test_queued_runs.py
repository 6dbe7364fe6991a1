"""Runs that wait for a slot: their order, and runs that are cancelled, resumed or killed in the queue."""

import os
import signal

import pytest

from fastadv_tui.runs import control, state
from fastadv_tui.supervise.queue import RunQueue
from tests.support.runs import engine_pid, gone, submit, supervisor_pid, verdict, wait_for_status
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("fake_engine")


def test_a_queued_run_waits_its_turn_and_says_its_place() -> None:
    first, second, third = submit("forever"), submit(), submit()
    engine_pid(first)
    wait_until(lambda: RunQueue.of_home().place_of(third.id) == 2)
    assert RunQueue.of_home().place_of(second.id) == 1
    assert RunQueue.of_home().place_of(first.id) is None
    assert verdict(second).status == "queued"
    control.stop(first)
    wait_for_status(third, "done")
    begun = [state.load(rundir).begun for rundir in (first, second, third)]
    assert begun == sorted(begun)


def test_a_second_slot_lets_two_runs_train_at_once() -> None:
    first, second = submit("forever"), submit("forever", slots=2)
    engine_pid(first)
    engine_pid(second)
    assert verdict(first).status == verdict(second).status == "running"


def test_a_queued_run_can_be_cancelled_and_resumed() -> None:
    first, second = submit("forever"), submit()
    engine_pid(first)
    assert control.stop(second)
    found = verdict(second)
    assert (found.status, found.reason, found.live) == ("cancelled", "cancelled in the queue", False)
    assert not second.events.exists()
    assert not second.stop_asked()
    control.stop(first)
    wait_for_status(first, "stopped")
    control.resume(second)
    wait_for_status(second, "done")


def test_the_status_of_a_run_that_was_cancelled_once_still_follows_its_events() -> None:
    first, second = submit("forever"), submit("forever")
    engine_pid(first)
    control.stop(second)
    control.stop(first)
    wait_for_status(first, "stopped")
    control.resume(second)
    engine = engine_pid(second)
    os.kill(supervisor_pid(second), signal.SIGKILL)
    wait_until(lambda: gone(engine))
    assert verdict(second).status == "stopped"


def test_a_slot_is_held_until_the_engine_is_gone() -> None:
    rundir, second = submit("deaf forever"), submit()
    engine = engine_pid(rundir)
    os.kill(supervisor_pid(rundir), signal.SIGKILL)
    wait_until(lambda: gone(supervisor_pid(rundir)))
    before = state.load(rundir).step
    wait_until(lambda: state.load(rundir).step > before + 60)
    assert verdict(rundir).status == "running"
    assert verdict(second).status == "queued"
    os.kill(engine, signal.SIGKILL)
    wait_for_status(second, "done")
