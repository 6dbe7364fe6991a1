"""The order of the tests, by what each worker of pytest-xdist gets of it."""

import itertools
from types import SimpleNamespace

import pytest
from xdist.scheduler import WorkStealingScheduling

from tests.support.order import spread

LONGEST = {"slow": 60, "medium": 40, "short": 30, "gone": 5}
COUNTS = {"a": 13, "slow": 2, "b": 30, "medium": 7, "short": 3, "c": 4}
ITEMS = [f"{file}.{number}" for file, count in COUNTS.items() for number in range(count)]


def file_of(item: str) -> str:
    return item.partition(".")[0]


class Node:
    """A worker as the scheduler sees it, that begins nothing."""

    shutting_down = False
    gateway = SimpleNamespace(id="a worker")

    def __init__(self) -> None:
        self.got: list[int] = []

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.got += numbers


def parts(workers: int) -> list[list[str]]:
    """What each worker gets at first from the scheduler of pyproject.toml."""
    ordered = spread(ITEMS, file_of, LONGEST, workers)
    scheduler = object.__new__(WorkStealingScheduling)
    nodes = [Node() for _ in range(workers)]
    vars(scheduler).update(
        numnodes=workers,
        node2collection=dict.fromkeys(nodes, ordered),
        node2pending={node: [] for node in nodes},
        pending=[],
        collection=None,
        steal_requested_from_node=None,
    )
    scheduler.schedule()
    return [[ordered[number] for number in node.got] for node in nodes]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 5])
def test_every_test_is_there_once_and_a_file_keeps_its_order(workers: int) -> None:
    ordered = spread(ITEMS, file_of, LONGEST, workers)
    assert sorted(ordered) == sorted(ITEMS)
    for file in COUNTS:
        of_file = [item for item in ordered if file_of(item) == file]
        assert of_file == [item for item in ITEMS if file_of(item) == file]


def test_each_worker_begins_with_its_share_of_the_files_that_take_long() -> None:
    first = [[file for file, _ in itertools.groupby(part, file_of)] for part in parts(2)]
    assert [files[: 1 + number] for number, files in enumerate(first)] == [["slow"], ["medium", "short"]]
    assert not {"slow", "medium", "short"} & {*first[0][1:], *first[1][2:]}
    assert [part[0] for part in parts(3)] == ["slow.0", "medium.0", "short.0"]


def test_one_worker_has_the_longest_files_first_and_the_others_as_they_were() -> None:
    files = [file for file, _ in itertools.groupby(spread(ITEMS, file_of, LONGEST, 1), file_of)]
    assert files == ["slow", "medium", "short", "a", "b", "c"]
