"""The processor cores that this process may use."""

import os


def usable_cores() -> int:
    """The number of cores that this process is bound to; where the system does not tell, that of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
