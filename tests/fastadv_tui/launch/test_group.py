"""Many runs that are submitted at once: their order, their tags, and what is left when the disk does not take them."""

import threading
from pathlib import Path
from typing import Any

import pytest

from engine.config.presets import build
from engine.config.run import RunConfig
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import HomeError
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import read_notes
from fastadv_tui.launch import group
from fastadv_tui.launch.group import BATCH, submit_group
from fastadv_tui.paths import ensure_home
from fastadv_tui.runs.create import create_run
from fastadv_tui.supervise.queue import RunQueue
from tests.support.runs import verdict, wait_for_status

COMMAND = ["fastadv", "sweep", "digits"]


def seeds(count: int) -> list[RunConfig]:
    return [build("digits", {"seed": seed, "device": "cpu"}) for seed in range(count)]


@pytest.fixture
def queue(fake_engine: None) -> RunQueue:
    """An empty queue that is paused."""
    ensure_home()
    found = RunQueue.of_home()
    found.pause()
    return found


def folders(home: Path) -> set[str]:
    return {path.name for path in (home / "runs").iterdir()}


def test_runs_wait_in_the_order_of_their_configurations_with_tags_and_a_row_each(queue: RunQueue) -> None:
    found: list[RunDir] = []
    assert submit_group(seeds(2 * BATCH + 3), COMMAND, ["mine"], slots=2, queued=found.append) == []
    assert [rundir.submission().config.seed for rundir in found] == [*range(2 * BATCH + 3)]
    assert [ticket.id for ticket in queue.waiting()] == [rundir.id for rundir in found]
    assert {tuple(read_notes(rundir).tags) for rundir in found} == {("mine",)}
    assert {(rundir.submission().slots, *rundir.submission().command) for rundir in found} == {(2, *COMMAND)}
    rows = History().rows()
    assert [row.id for row in sorted(rows, key=lambda row: row.submitted)] == [rundir.id for rundir in found]
    assert {row.status for row in rows} == {"queued"}


@pytest.mark.usefixtures("fake_engine")
def test_the_runs_of_a_group_start_one_after_another() -> None:
    found: list[RunDir] = []
    submit_group(seeds(3), COMMAND, [], queued=found.append)
    for rundir in found:
        wait_for_status(rundir, "done")


def test_a_run_that_cannot_be_created_leaves_none_without_a_place(
    queue: RunQueue, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(config: RunConfig, **more: Any) -> RunDir:
        if config.seed == BATCH + 2:
            raise HomeError("the disk is full")
        return create_run(config, **more)

    monkeypatch.setattr(group, "create_run", create)
    found: list[RunDir] = []
    with pytest.raises(HomeError, match="the disk is full"):
        submit_group(seeds(BATCH + 10), COMMAND, [], queued=found.append)
    assert [rundir.submission().config.seed for rundir in found] == [*range(BATCH)]
    assert folders(home) == {rundir.id for rundir in found}
    assert {verdict(rundir).status for rundir in found} == {"queued"}


def test_runs_that_have_their_places_are_told_when_another_one_gets_none(
    queue: RunQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, record: Any) -> None:
        if RunDir(path.parent).submission().config.seed == 2:
            raise OSError(28, "No space left on device")
        path.write_bytes(b"")

    monkeypatch.setattr("fastadv_tui.supervise.records.write", write)
    found: list[RunDir] = []
    with pytest.raises(HomeError, match=r"cannot queue \w+ \(No space left on device\)"):
        submit_group(seeds(4), COMMAND, [], queued=found.append)
    assert [rundir.submission().config.seed for rundir in found] == [0, 1, 3]
    assert [ticket.id for ticket in queue.waiting()] == [rundir.id for rundir in found]


def test_files_of_several_runs_are_written_at_the_same_time(queue: RunQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run waits until every run of its batch is being created: one after another, they would wait for ever."""
    together = threading.Barrier(BATCH, timeout=60)

    def create(config: RunConfig, **more: Any) -> RunDir:
        together.wait()
        return create_run(config, **more)

    monkeypatch.setattr(group, "create_run", create)
    submit_group(seeds(2 * BATCH), COMMAND, [])
    assert len(queue.waiting()) == 2 * BATCH
