"""The processes that decode images: how many, what they do with signals, and what is said of one that was killed."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from engine.data.arrays import DataError

MOST_WORKERS = 16


def workers_for(device: torch.device) -> int:
    """Processes that decode: beside a GPU all cores but the one that feeds it; a CPU that trains has none to spare."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if device.type == "cpu" else max(1, min(cores - 1, MOST_WORKERS))


def init_worker(worker: int) -> None:
    """A Ctrl-C at the terminal reaches workers, too; it is the engine that decides what becomes of the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def lost_workers() -> Iterator[None]:
    """Around a whole run: torch tells of the death of a worker by a signal, and so at any place.

    Raises: DataError instead of torch's RuntimeError.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker (pid" not in str(error):
            raise
        raise worker_killed(error) from None


def worker_killed(error: Exception) -> DataError:
    return DataError(f"a process that decodes images was killed, perhaps for want of memory ({error})")
