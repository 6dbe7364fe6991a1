"""Which process is meant: a pid alone is not enough, it is reused, and a shared home is seen from many hosts."""

import os
from functools import cache
from pathlib import Path

from msgspec import Struct

PROC = Path("/proc")
CLOCK_TOLERANCE = 2.0  # seconds, where start times come from the clock and not from the kernel's ticks


class ProcessIdentity(Struct, frozen=True):
    """`start`: the kernel's ticks since boot on Linux, which no clock can move, else unix time."""

    host: str
    boot: str
    pid: int
    start: float


@cache
def hostname() -> str:
    return os.uname().nodename  # the same as socket.gethostname(), without loading sockets


@cache
def boot_id() -> str:
    """The same as long as this machine has not restarted."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return str(round(psutil.boot_time(), -1))


def of(pid: int) -> ProcessIdentity | None:
    """Who has this pid on this machine now; None if nobody does, or only a zombie."""
    start = _start(pid)
    return None if start is None else ProcessIdentity(hostname(), boot_id(), pid, start)


def alive(identity: ProcessIdentity) -> bool | None:
    """Whether just that process is alive; None if it is on another host, where nobody here can know."""
    if identity.host != hostname():
        return None
    if identity.boot != boot_id():
        return False
    start = _start(identity.pid)
    return start is not None and abs(start - identity.start) <= (
        0 if PROC.joinpath("stat").exists() else CLOCK_TOLERANCE
    )


def _start(pid: int) -> float | None:
    if not PROC.joinpath("stat").exists():
        return _start_elsewhere(pid)
    try:
        stat = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything, spaces and brackets too
    return None if fields[0] in "ZX" else float(fields[19])


def _start_elsewhere(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def me() -> ProcessIdentity:
    """This process."""
    found = of(os.getpid())
    assert found is not None
    return found
