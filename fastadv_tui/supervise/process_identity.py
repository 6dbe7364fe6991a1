"""The identity of a process. A pid is not enough: pids are reused, and many hosts may share one home folder."""

import os
from functools import cache
from pathlib import Path

from msgspec import Struct

PROC = Path("/proc")
CLOCK_TOLERANCE = 2.0  # seconds; for start times from the clock, not from the kernel's ticks


class ProcessIdentity(Struct, frozen=True):
    """One process. `start`: when the process started.

    On Linux, `start` is in clock ticks since boot, which no clock change affects. Elsewhere it is Unix time in seconds.
    """

    host: str
    boot: str
    pid: int
    start: float


@cache
def hostname() -> str:
    return os.uname().nodename  # the same as socket.gethostname(), without loading sockets


@cache
def boot_id() -> str:
    """An identifier of the machine's present boot. It changes when the machine restarts."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return str(round(psutil.boot_time(), -1))


def of(pid: int) -> ProcessIdentity | None:
    """The process that has this pid on this machine now; None if there is no such process or only a zombie."""
    start = _start(pid)
    return None if start is None else ProcessIdentity(hostname(), boot_id(), pid, start)


def alive(identity: ProcessIdentity) -> bool | None:
    """Whether exactly this process is alive; None if the process is on another host."""
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
        return _start_without_proc(pid)
    try:
        stat = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the process name before ")" may hold spaces and brackets
    return None if fields[0] in "ZX" else float(fields[19])


def _start_without_proc(pid: int) -> float | None:
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
