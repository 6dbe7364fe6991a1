"""The queue of a host: the order of its tickets, places, moves, and what must not disturb it."""

import os
from pathlib import Path

import pytest

from fastadv_tui.supervise import queue as queue_module
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.queue import FullTicket, QueueBusyError, RunQueue
from fastadv_tui.supervise.slots import CPU


@pytest.fixture
def queue(tmp_path: Path) -> RunQueue:
    found = RunQueue(tmp_path / "slots")
    found.tickets.mkdir(parents=True)
    return found


def add(queue: RunQueue, *orders: float, devices: tuple[str, ...] = (CPU,)) -> None:
    for order in orders:
        environment = [(b"BYTES", b"\xff")]
        queue.add(
            FullTicket(
                order=order, id=f"run{order:.0f}", attempt=1, devices=devices, python="/p", environment=environment
            )
        )


def ids(queue: RunQueue) -> list[str]:
    return [ticket.id for ticket in queue.waiting()]


def test_the_queue_keeps_the_order_of_submission_whatever_the_order_of_arrival(queue: RunQueue) -> None:
    add(queue, 3, 1, 10, 2)
    assert ids(queue) == ids(RunQueue(queue.slots.parent)) == ["run1", "run2", "run3", "run10"]
    assert [queue.place_of(run) for run in ids(queue)] == [1, 2, 3, 4]
    assert (queue.place_of("run7"), queue.holds("run7"), queue.holds("run3")) == (None, False, True)
    queue.remove("run2")
    queue.remove("run2")
    assert ids(queue) == ["run1", "run3", "run10"]


def test_a_place_counts_only_runs_that_want_the_same_device(queue: RunQueue) -> None:
    add(queue, 1, 2, devices=("GPU-a",))
    add(queue, 3, devices=("GPU-a", "GPU-b"))
    add(queue, 4, devices=("GPU-b",))
    add(queue, 5)
    assert queue.places() == {"run1": 1, "run2": 2, "run3": 3, "run4": 2, "run5": 1}


@pytest.mark.parametrize(
    ("run", "to", "order"),
    [
        ("run3", 1, "3124"),
        ("run1", None, "2341"),
        ("run4", 2, "1423"),
        ("run2", 2, "1234"),
        ("run1", 99, "2341"),
        ("run4", 4, "1234"),
    ],
)
def test_a_run_is_moved_to_a_place(queue: RunQueue, run: str, to: int | None, order: str) -> None:
    add(queue, 1, 2, 3, 4)
    assert queue.move(run, to)
    assert ids(queue) == [f"run{digit}" for digit in order]
    ticket = queue.full_ticket(run)
    assert ticket is not None
    assert (ticket.python, ticket.environment) == ("/p", [(b"BYTES", b"\xff")])


def test_runs_are_moved_to_the_first_place_again_and_again(queue: RunQueue) -> None:
    add(queue, 1, 2, 3)
    for run in ("run3", "run2", "run3", "run1"):
        assert queue.move(run, 1)
        assert ids(queue)[0] == run
    assert not queue.move("run7", 1)


def test_a_reader_sees_each_change_at_once_and_reads_a_ticket_once(
    queue: RunQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        queue_module, "_ticket", lambda path, real=queue_module._ticket: read.append(path) or real(path)
    )
    add(queue, 1, 2)
    assert ids(queue) == ids(queue) == ["run1", "run2"]
    assert len(read) == 2
    add(queue, 3)
    assert ids(queue) == ["run1", "run2", "run3"]
    assert len(read) == 3
    queue.move("run3", 1)
    assert ids(queue) == ["run3", "run1", "run2"]
    queue.remove("run1")
    assert ids(queue) == ["run3", "run2"]
    assert len(read) == 4


def test_garbage_among_the_tickets_is_ignored(queue: RunQueue) -> None:
    add(queue, 1)
    (queue.tickets / "garbage").write_bytes(b"\xff{")
    (queue.tickets / "folder").mkdir()
    (queue.tickets / ".run2.1234.abcd").write_bytes(b"{}")
    assert ids(queue) == ["run1"]


def test_only_the_owner_can_read_the_environment_in_a_ticket(queue: RunQueue) -> None:
    add(queue, 1)
    assert (queue.tickets / "run1").stat().st_mode & 0o077 == 0


def test_whoever_changes_the_queue_waits_for_its_lock(queue: RunQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "LOCK_SECONDS", 0.05)
    handle = try_lock(queue.slots / "queue.lock")
    assert handle is not None
    with pytest.raises(QueueBusyError, match="is locked by another process"), queue.locked():
        raise AssertionError
    os.close(handle)
    with queue.locked():
        assert try_lock(queue.slots / "queue.lock") is None
    handle = try_lock(queue.slots / "queue.lock")
    assert handle is not None
    os.close(handle)


def test_a_queue_that_nobody_has_used_is_empty(tmp_path: Path) -> None:
    queue = RunQueue(tmp_path / "slots")
    assert (queue.waiting(), queue.paused, queue.holds("run1"), queue.full_ticket("run1")) == ([], False, False, None)
    queue.pause()
    assert queue.paused
    queue.unpause()
    queue.unpause()
    assert not queue.paused
