"""Processor and memory use of a process with its descendants."""

from collections import defaultdict
from collections.abc import Mapping

import psutil
from msgspec import Struct


class Usage(Struct, frozen=True, kw_only=True):
    """Use by a process and all its descendants.

    cpu: busy cores, None in the first sample. rss: resident memory in bytes. processes: number of processes.
    """

    cpu: float | None
    rss: int
    processes: int


def process_trees(pids: set[int]) -> dict[int, list[psutil.Process]]:
    """For each pid, its process and all descendants, zombies included; an empty list if no process has the pid."""
    if not pids:
        return {}
    children = defaultdict(list)
    processes = {process.pid: process for process in psutil.process_iter(["ppid"])}
    for process in processes.values():
        children[process.info["ppid"]].append(process)
    return {pid: process_tree(processes[pid], children) if pid in processes else [] for pid in pids}


def process_tree(root: psutil.Process, children: Mapping[int, list[psutil.Process]]) -> list[psutil.Process]:
    """A process and its descendants. children: all processes of the machine, by the pid of their parent."""
    members = {root.pid: root}
    waiting = [root.pid]
    while waiting:
        added = [child for child in children.get(waiting.pop(), []) if child.pid not in members]
        members |= {child.pid: child for child in added}
        waiting += [child.pid for child in added]
    return list(members.values())
