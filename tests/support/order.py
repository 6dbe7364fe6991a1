"""The order of the tests: the files that take longest begin first, and each worker of pytest-xdist has its share."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TypeVar

Item = TypeVar("Item")


def spread(
    items: Sequence[Item], file_of: Callable[[Item], str], longest: Mapping[str, float], workers: int
) -> list[Item]:
    """The items in the order in which pytest-xdist cuts them into one part for each worker.

    Each part begins with files of `longest`, so that they run side by side and none begins last. The parts have about
    the same seconds of them. The items of a file stay together. longest: seconds of the files that take long.
    """
    parts: list[list[Item]] = [[] for _ in range(workers)]
    load = [(0.0, number) for number in range(workers)]
    files = {name: [*of_file] for name, of_file in groupby(sorted(items, key=file_of), key=file_of) if name in longest}
    for name in sorted(files, key=lambda name: (-longest[name], name)):
        seconds, number = heapq.heappop(load)
        parts[number] += files[name]
        heapq.heappush(load, (seconds + longest[name], number))
    others = iter([item for item in items if file_of(item) not in longest])
    ordered: list[Item] = []
    for number, part in enumerate(parts):  # sizes as in the scheduler `worksteal`
        size = (len(items) - len(ordered)) // (workers - number)
        ordered += [*part, *(item for _, item in zip(range(size - len(part)), others, strict=False))]
    return [*ordered, *others]
