"""The free memory of the host, or of the container or batch job that this process runs in."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Of version 2 and 1 of control groups: name of the limit, of the use, and of the part of the use that is only a cache.
V2 = ("memory.max", "memory.current", "inactive_file")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def free_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that this process and its children can still take; None if the system does not say, as macOS."""
    with suppress(OSError, ValueError, StopIteration):
        lines = (proc / "meminfo").read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable:"))
        return max(min([1024 * int(available.split()[1]), *_left_in_groups(proc, groups)]), 0)
    return None


def _left_in_groups(proc: Path, groups: Path) -> Iterator[int]:
    """What is left of each limit that holds for this process. A limit of a group holds for the groups inside, too."""
    for line in (proc / "self" / "cgroup").read_text().splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers in ("", "memory"):
            base, names = (groups / "memory", V1) if controllers else (groups, V2)
            inner = base / place.lstrip("/")
            # in a container the place may be that on the host, and the limit lies at the base
            for folder in {inner, *(above for above in inner.parents if above.is_relative_to(base)), base}:
                with suppress(OSError, ValueError):
                    yield _left(folder, *names)


def _left(group: Path, limit: str, used: str, cached: str) -> int:
    """Raises: OSError; ValueError, if there is no limit."""
    most, now = int((group / limit).read_text()), int((group / used).read_text())
    rows = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return most - now + int(rows.get(cached, 0))
