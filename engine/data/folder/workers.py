"""The worker processes that decode images: their number, their signals, and the error when one was killed."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch.utils.data import DataLoader

from engine.config.errors import DataError

MAX_WORKERS = 16
# In torch's messages when a worker was killed. Its pin-memory thread may end first, because of the killed worker.
WORKER_DEATH_PHRASES = "DataLoader worker (pid", "Pin memory thread exited"
T = TypeVar("T")


def workers_for(device: torch.device) -> int:
    """Processes that decode. GPU: one per core, but one core feeds the GPU. CPU: 1, as training needs all cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if device.type == "cpu" else max(1, min(cores - 1, MAX_WORKERS))


def init_worker(worker: int) -> None:
    """Ignore SIGINT in a worker: a Ctrl-C reaches all processes of the terminal, but only the engine acts on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def iterate_loader(loader: DataLoader[T]) -> Iterator[T]:
    """Yield the items of a loader. If a worker was killed, the request for the next item raises DataError.

    Torch's SIGCHLD handler would raise an error at any line, or in a destructor, where Python only prints the error.
    This function removes the handler. The loader's queue then checks every 5 s whether its workers live.

    Raises: DataError, if a worker was killed.
    """
    with raise_killed_workers():
        decoded = iter(loader)
        if loader.num_workers and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        yield from decoded


@contextmanager
def raise_killed_workers() -> Iterator[None]:
    """Inside the block, a killed worker raises DataError. Torch would raise RuntimeError, or an error of the pipe."""
    try:
        yield
    except (ConnectionError, EOFError, FileNotFoundError) as error:
        raise killed_worker_error(error) from None
    except RuntimeError as error:
        if not any(phrase in str(error) for phrase in WORKER_DEATH_PHRASES):
            raise
        raise killed_worker_error(error) from None


def killed_worker_error(error: Exception) -> DataError:
    return DataError(f"a process that decodes images was killed, perhaps because memory ran out ({error})")
