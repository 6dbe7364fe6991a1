"""Many runs that are submitted at once: their order, their tags, and what is left when the disk does not take them."""

import random
import signal
import threading
from collections.abc import Callable, Iterator
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


PLACES = {  # of a SIGINT: a function that the main thread calls, and the number of the call
    "before the first run": (group, "code_version", 1),
    "creating": (group, "wait", 3),
    "placing": (group, "wait", 4),
    "starting": (group, "serve", 1),
    "writing the rows": (History, "record_all", 1),
}


@pytest.mark.parametrize("where", PLACES)
def test_after_an_interrupt_each_run_that_has_a_place_was_told_of_and_no_other_run_is_left(
    queue: RunQueue, home: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    owner, name, call = PLACES[where]
    monkeypatch.setattr(owner, name, _interrupted(getattr(owner, name), call))
    found: list[RunDir] = []
    with pytest.raises(KeyboardInterrupt):
        submit_group(seeds(2 * BATCH + 5), COMMAND, [], queued=found.append)
    assert (len(found) >= BATCH) == (where != "before the first run")
    _all_that_is_left(queue, home, found)


def test_an_interrupt_while_runs_are_told_of_hides_none_of_them(queue: RunQueue, home: Path) -> None:
    found: list[RunDir] = []
    with pytest.raises(KeyboardInterrupt):
        submit_group(seeds(2 * BATCH), COMMAND, [], queued=_interrupted(found.append, BATCH // 2))
    _all_that_is_left(queue, home, found)
    assert len(found) == BATCH


@pytest.fixture
def alarm() -> Iterator[None]:
    """A SIGALRM interrupts as a Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files that were being read
@pytest.mark.usefixtures("alarm")
def test_an_interrupt_at_any_moment_hides_no_run(queue: RunQueue, home: Path) -> None:
    rng, before, interrupted = random.Random(0), set[str](), 0
    for _ in range(15):
        found: list[RunDir] = []
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.001, 0.15))
                submit_group(seeds(BATCH), COMMAND, [], queued=found.append)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupted += 1
        before |= {rundir.id for rundir in found}
        assert folders(home) == {ticket.id for ticket in queue.waiting()} == before
    assert interrupted


def _interrupted(whole: Callable[..., Any], call: int) -> Callable[..., Any]:
    """A function that a SIGINT interrupts at one of its calls, counted from 1."""
    calls = iter(range(1, 10**6))

    def interrupted(*given: Any, **more: Any) -> Any:
        if next(calls) == call:
            signal.raise_signal(signal.SIGINT)
        return whole(*given, **more)

    return interrupted


def _all_that_is_left(queue: RunQueue, home: Path, found: list[RunDir]) -> None:
    ids = [*dict.fromkeys(rundir.id for rundir in found)]  # one may have been told of twice
    assert [ticket.id for ticket in queue.waiting()] == ids
    assert (folders(home) if ids else set()) == {*ids}
    assert {row.id for row in History().rows()} == {*ids}
    assert {row.status for row in History().rows()} <= {"queued"}


def test_files_of_several_runs_are_written_at_the_same_time(queue: RunQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run waits until every run of its batch is being created: one after another, they would wait for ever."""
    together = threading.Barrier(BATCH, timeout=60)

    def create(config: RunConfig, **more: Any) -> RunDir:
        together.wait()
        return create_run(config, **more)

    monkeypatch.setattr(group, "create_run", create)
    submit_group(seeds(2 * BATCH), COMMAND, [])
    assert len(queue.waiting()) == 2 * BATCH
