"""The share of one run in the cores of a host, whose other GPUs may have runs that need cores, too."""

import os
from contextlib import suppress

RUNS_ON_HOST = "FASTADV_RUNS_ON_HOST"  # environment variable of an engine: how many runs may share the host


def cores_of_run() -> int:
    """The cores of this process, divided by the runs that may share them; at least 1."""
    return max(usable_cores() // runs_on_host(), 1)


def usable_cores() -> int:
    """The cores that this process may use. A batch system often gives it fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def runs_on_host() -> int:
    """How many runs may share the host with this one, which counts; 1 if nobody has said."""
    with suppress(ValueError):
        return max(int(os.environ.get(RUNS_ON_HOST, "1")), 1)
    return 1
