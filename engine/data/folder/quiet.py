"""Keeps the warnings and logs of Pillow and libtiff from the user, who is told of a broken image anyway."""

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

logging.getLogger("PIL").addHandler(logging.NullHandler())  # without a handler, Python prints what Pillow logs


class _WhileAnyThread:
    """A change of the whole process, which lasts as long as any thread is inside the block.

    Threads that decode at once would otherwise undo each other's change.
    """

    def __init__(self, change: Callable[[], AbstractContextManager[object]]) -> None:
        self._new_change = change
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._change = self._new_change()
                self._change.__enter__()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._change.__exit__(None, None, None)


@contextmanager
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _no_standard_error() -> Iterator[None]:
    nowhere, before = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


no_warnings = _WhileAnyThread(_no_warnings)
no_messages_of_libtiff = _WhileAnyThread(_no_standard_error)  # the library writes to the file, not to sys.stderr
