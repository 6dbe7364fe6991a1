"""What a process and its descendants use."""

from collections import defaultdict
from collections.abc import Mapping

import psutil
from msgspec import Struct


class Usage(Struct, frozen=True, kw_only=True):
    """A process and all its descendants: cores kept busy (None in its first sample), resident bytes, how many."""

    cpu: float | None
    rss: int
    processes: int


def families(pids: set[int]) -> dict[int, list[psutil.Process]]:
    """For each pid its process and all descendants, living or zombie; empty for a pid that nobody has."""
    if not pids:
        return {}
    children = defaultdict(list)
    processes = {process.pid: process for process in psutil.process_iter(["ppid"])}
    for process in processes.values():
        children[process.info["ppid"]].append(process)
    return {pid: family(processes[pid], children) if pid in processes else [] for pid in pids}


def family(ancestor: psutil.Process, children: Mapping[int, list[psutil.Process]]) -> list[psutil.Process]:
    """A process and its descendants; `children` are all processes of the machine by their parent's pid."""
    members = {ancestor.pid: ancestor}
    waiting = [ancestor.pid]
    while waiting:
        born = [child for child in children.get(waiting.pop(), []) if child.pid not in members]
        members |= {child.pid: child for child in born}
        waiting += [child.pid for child in born]
    return list(members.values())
