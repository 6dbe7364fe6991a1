"""Whether the kernel killed something here for want of memory."""

from pathlib import Path

V1 = "/sys/fs/cgroup/memory/memory.oom_control"


class OomCounter:
    """The kernel's count of out-of-memory kills in our cgroup, and on the whole machine, from now on."""

    def __init__(self) -> None:
        self._before = _kills()

    def rose(self) -> bool:
        return _kills() > self._before


def _kills() -> int:
    return sum(_count(path, "oom_kill") for path in (_own_cgroup(), Path(V1), Path("/proc/vmstat")) if path)


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
