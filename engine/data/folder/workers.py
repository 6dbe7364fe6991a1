"""The processes that decode images: how many, what they do with signals, and what is said of one that was killed."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch.utils.data import DataLoader

from engine.config.errors import DataError

MOST_WORKERS = 16
DEATHS = "DataLoader worker (pid", "Pin memory thread exited"  # what torch says of one; the thread dies of it, too
T = TypeVar("T")


def workers_for(device: torch.device) -> int:
    """Processes that decode: beside a GPU all cores but the one that feeds it; a CPU that trains has none to spare."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if device.type == "cpu" else max(1, min(cores - 1, MOST_WORKERS))


def init_worker(worker: int) -> None:
    """A Ctrl-C at the terminal reaches workers, too; it is the engine that decides what becomes of the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def polled(loader: DataLoader[T]) -> Iterator[T]:
    """What the processes of a loader decode. That one was killed is found where the next minibatch is asked for.

    Torch would raise it from a signal handler: in the middle of any line, or of a destructor, where it is only printed.
    Without the handler, its queue looks every 5 s whether the processes live.

    Raises: DataError, when a process was killed.
    """
    with lost_workers():
        decoded = iter(loader)
        if loader.num_workers and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        yield from decoded


@contextmanager
def lost_workers() -> Iterator[None]:
    """Raises: DataError instead of torch's RuntimeError, or of the broken pipe that may come before it."""
    try:
        yield
    except (ConnectionError, EOFError, FileNotFoundError) as error:
        raise worker_killed(error) from None
    except RuntimeError as error:
        if not any(words in str(error) for words in DEATHS):
            raise
        raise worker_killed(error) from None


def worker_killed(error: Exception) -> DataError:
    return DataError(f"a process that decodes images was killed, perhaps for want of memory ({error})")
