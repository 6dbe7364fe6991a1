"""The pool of decoding processes: order, errors and death of workers, with numbers in place of images."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from engine.config.errors import DataError
from engine.data.folder.workers import (
    AHEAD,
    Room,
    WorkerPool,
    decoded_here,
    minibatches_in_flight,
    workers_for,
    workers_that_fit,
)
from tests.support.engine import ROOT

GPU, CPU = torch.device("cuda"), torch.device("cpu")


def write_number(number: int, room: Room) -> None:
    room[:] = number


def fail_at_five(number: int, room: Room) -> None:
    if number == 5:
        raise OSError(5, "Input/output error")
    if number == 6:
        raise KeyError("a fault of the program")
    room[:] = number


def die_at_five(number: int, room: Room) -> None:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    room[:] = number


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 12])
def test_every_request_comes_back_in_order_with_what_it_was_decoded_to(workers: int, count: int) -> None:
    with WorkerPool(write_number, 3, workers) as pool:
        found = [(number, room.tolist()) for number, room in pool.decoded(iter(range(count)))]
    assert found == [(number, [number] * 3) for number in range(count)]
    assert found == [(number, room.tolist()) for number, room in decoded_here(write_number, 3, iter(range(count)))]


def test_no_worker_gets_more_requests_than_it_has_rooms() -> None:
    asked: list[int] = []

    def requests() -> Iterator[int]:
        for number in range(20):
            asked.append(number)
            yield number

    with WorkerPool(write_number, 1, 2) as pool:
        for taken, _ in enumerate(pool.decoded(requests())):
            assert len(asked) == min(taken + 2 * AHEAD, 20)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_error_of_a_worker_is_raised_at_its_request(workers: int) -> None:
    with WorkerPool(fail_at_five, 1, workers) as pool:
        found = pool.decoded(iter(range(10)))
        assert [number for number, _ in (next(found) for _ in range(5))] == [0, 1, 2, 3, 4]
        with pytest.raises(OSError, match="Input/output error"):
            next(found)
    with (
        WorkerPool(fail_at_five, 1, workers) as pool,
        pytest.raises(RuntimeError, match=r"(?s)Traceback.*KeyError.*a fault"),
    ):
        list(pool.decoded(iter([6])))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_death_of_a_worker_is_an_error_in_one_line(workers: int) -> None:
    with (
        WorkerPool(die_at_five, 1, workers) as pool,
        pytest.raises(DataError, match=r"a process that decodes images was killed.*\(signal 9\)"),
    ):
        list(pool.decoded(iter(range(10))))


@pytest.mark.parametrize(
    ("cores", "runs", "workers"),
    [(16, "1", 15), (64, "1", 16), (32, "4", 7), (8, "8", 1), (4, "8", 1), (1, "1", 1), (16, "", 15), (16, "x", 15)],
)
def test_the_runs_of_a_host_share_its_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, runs: str, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    monkeypatch.setattr(os, "cpu_count", lambda: 1000)  # of a machine that a batch system has divided
    monkeypatch.setenv("FASTADV_RUNS_ON_HOST", runs)
    assert workers_for(GPU) == workers
    assert workers_for(CPU) == 1


@pytest.mark.parametrize(
    ("free", "workers"),
    [(None, 15), (10**12, 15), (64 * 10, 15), (63 * 10, 14), (8 * 10, 1), (7 * 10, 0), (3 * 10, 0), (0, 0)],
)
def test_memory_that_is_short_gives_fewer_workers(
    monkeypatch: pytest.MonkeyPatch, free: int | None, workers: int
) -> None:
    """A minibatch takes 10 bytes; half of the free memory is for minibatches."""
    monkeypatch.delenv("FASTADV_RUNS_ON_HOST", raising=False)
    assert workers_that_fit(15, 10, free) == workers
    if free and workers:
        assert 10 * minibatches_in_flight(workers) <= free / 2
    monkeypatch.setenv("FASTADV_RUNS_ON_HOST", "2")
    assert workers_that_fit(15, 10, free and 2 * free) == workers


SMALL_SHM = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"'
IN_FLIGHT = """
import sys
sys.path.insert(0, sys.argv[1])
from engine.data.folder.workers import WorkerPool
def fill(number, room):
    room[:] = number
with WorkerPool(fill, 4 * 10**6, 2) as pool:
    print(sum(room.min() == room.max() == number for number, room in pool.decoded(iter(range(9)))))
"""


def test_minibatches_take_no_room_in_dev_shm() -> None:
    """In a container /dev/shm has 64 MB. Here it has 1 MB, and 16 MB are in flight."""
    may_mount = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]
    if sys.platform != "linux" or subprocess.run(may_mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs in a namespace of its own")
    command = ["unshare", "-m", "sh", "-c", SMALL_SHM, "sh", sys.executable, "-c", IN_FLIGHT, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "9\n", "")
