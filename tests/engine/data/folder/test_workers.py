"""The pool of decoding processes: order, errors and death of workers, with numbers in place of images."""

import os
import signal
from collections.abc import Iterator

import pytest

from engine.config.errors import DataError
from engine.data.folder.workers import AHEAD, Room, WorkerPool, decoded_here


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
