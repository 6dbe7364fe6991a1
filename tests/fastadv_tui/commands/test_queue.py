"""`fastadv queue` lists the runs that wait, moves them, and holds and releases them all."""

import json
import subprocess

import pytest

from fastadv_tui.runs import control
from fastadv_tui.supervise.queue import RunQueue
from tests.support.runs import engine_pid, submit, verdict, wait_for_status
from tests.support.shell import fastadv
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("fake_engine")


def listed() -> list[str]:
    """The ids, as a user reads them."""
    lines = fastadv("queue").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [str(number) for number in range(1, len(lines) + 1)]
    return [line.split()[1] for line in lines]


def refused(*words: str) -> str:
    done: subprocess.CompletedProcess[str] = fastadv("queue", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    return done.stderr


def test_the_waiting_runs_are_listed_moved_held_and_released() -> None:
    first = submit("forever")
    engine_pid(first)
    one, two, three = (submit().id for _ in range(3))
    assert listed() == [one, two, three]
    moved = fastadv("queue", "move", three, "--to", "1")
    assert (moved.returncode, moved.stderr) == (0, f"{three}: now 1 of 3\n")
    assert fastadv("queue", "move", one, "--to", "last").stderr == f"{one}: now 3 of 3\n"
    assert [run["id"] for run in json.loads(fastadv("queue", "--json").stdout)] == [three, two, one]

    assert "3 run(s) wait" in fastadv("queue", "pause").stderr
    assert "the queue is paused" in fastadv("queue").stderr
    control.stop(first)
    wait_for_status(first, "stopped")
    assert RunQueue.of_home().place_of(three) == 1

    assert fastadv("queue", "continue").returncode == 0
    wait_until(lambda: not RunQueue.of_home().waiting())
    assert fastadv("queue").stdout == "no run waits on this host\n"


def test_bad_input_is_refused_in_one_line() -> None:
    rundir = submit()
    wait_for_status(rundir, "done")
    assert "does not wait on this host" in refused("move", rundir.id, "--to", "1")
    for place in ("0", "-1", "first", "1.5"):
        assert f"--to {place} is no place; use a number from 1, or last" in refused("move", rundir.id, "--to", place)
    assert "no run has the name 'nothing'" in refused("move", "nothing", "--to", "1")


def test_a_run_that_must_wait_says_its_place_when_it_is_detached_and_is_cancelled_by_stop() -> None:
    first = submit("forever")
    engine_pid(first)
    second = submit()
    done = fastadv("stop", second.id)
    assert done.stderr == f"{second.id}: cancelled in the queue; `fastadv resume {second.id}` queues the run\n"
    assert verdict(second).status == "cancelled"
    done = fastadv("resume", second.id, "--detach")
    assert done.stderr == f"queued, 1st in line; `fastadv watch {second.id}` shows the run\n"
    row = json.loads(fastadv("show", second.id, "--json").stdout)
    assert (row["status"], done.stdout) == ("queued", f"{second.id}\n")


def test_a_queue_is_stopped_from_its_end_so_that_no_run_starts_meanwhile() -> None:
    first = submit("forever")
    engine_pid(first)
    waiting = [submit() for _ in range(3)]
    told = fastadv("stop", first.id, *(rundir.id for rundir in waiting)).stderr.splitlines()
    assert [line.partition(":")[0] for line in told] == [rundir.id for rundir in (*reversed(waiting), first)]
    assert [verdict(rundir).status for rundir in waiting] == ["cancelled"] * 3
