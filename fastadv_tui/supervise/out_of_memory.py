"""Whether the kernel has killed a process because memory ran out."""

from pathlib import Path

CGROUP_V1 = "/sys/fs/cgroup/memory/memory.oom_control"


class OomCounter:
    """Counts the kernel's out-of-memory kills in our cgroup and on the whole machine, from its creation on."""

    def __init__(self) -> None:
        self._before = _kills()

    def increased(self) -> bool:
        """Whether there was an out-of-memory kill since the creation of the counter."""
        return _kills() > self._before


def _kills() -> int:
    return sum(_count(path, "oom_kill") for path in (_own_cgroup(), Path(CGROUP_V1), Path("/proc/vmstat")) if path)


def _own_cgroup() -> Path | None:
    try:
        line = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    return Path("/sys/fs/cgroup") / line[3:].lstrip("/") / "memory.events"


def _count(path: Path, name: str) -> int:
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return 0
    return sum(int(row[1]) for row in rows if len(row) == 2 and row[0] == name)
