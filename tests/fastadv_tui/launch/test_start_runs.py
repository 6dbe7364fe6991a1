"""Submissions, and what the user is told about them."""

from pathlib import Path

import pytest

from engine.config.presets import build
from engine.protocol.rundir import RunDir
from fastadv_tui.history.index import History
from fastadv_tui.launch.group import submit_group
from fastadv_tui.launch.line import waiting_runs
from fastadv_tui.launch.start_runs import start_runs
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.supervise.queue import RunQueue
from tests.support.gpu_machine import show_gpus
from tests.support.runs import wait_for_status
from tests.support.waiting import wait_until

CONFIG = build("digits", {"name": "mine", "device": "cpu"})
COMMAND = ["fastadv", "run", "digits"]


@pytest.mark.usefixtures("fake_engine")
def test_a_run_with_a_free_slot_starts_now() -> None:
    ensure_home()
    started = start_runs([CONFIG], COMMAND, [])
    assert started.text == f"submitted: mine ({started.first}) starts now"
    wait_for_status(RunDir(runs_dir() / started.first), "done")


@pytest.mark.usefixtures("fake_engine")
def test_places_in_the_queue_are_told_and_a_pause_has_no_times() -> None:
    ensure_home()
    RunQueue.of_home().pause()
    paused = "in the queue, which is paused; `fastadv queue continue` lets it start"
    one = start_runs([CONFIG], COMMAND, [])
    assert one.text == f"submitted: mine ({one.first}) is 1st {paused}"
    more = start_runs([CONFIG] * 3, COMMAND, ["mine"])
    assert more.text == f"submitted 3 runs, tagged mine: the first, mine ({more.first}), is 2nd {paused}"
    assert {run.expected.start for run in waiting_runs(RunQueue.of_home())} == {None}


@pytest.mark.usefixtures("fake_engine")
def test_many_runs_look_for_gpus_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nvml = show_gpus(monkeypatch, tmp_path / "nvml", count=2)
    ensure_home()
    queue = RunQueue.of_home()
    queue.pause()
    start_runs([build("digits", {"seed": seed}) for seed in range(3)], COMMAND, [])
    assert [ticket.devices for ticket in queue.waiting()] == [("GPU-0", "GPU-1")] * 3
    assert nvml.calls.count("nvmlInit") == 1


@pytest.mark.usefixtures("fake_engine")
def test_a_reader_between_the_first_submissions_finds_no_history_lost() -> None:
    """Of several first runs one may train already while the next are submitted, and the rows are written at the end."""
    ensure_home()
    notices: list[str] = []

    def read(rundir: RunDir) -> None:
        wait_until(rundir.events.exists)
        history = History()
        history.sync()
        notices.extend(history.notices)

    submit_group([CONFIG], COMMAND, [], queued=read)
    assert notices == []
