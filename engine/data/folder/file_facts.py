"""Sizes and times of files: looked at once, and afterwards compared with those that were seen.

What is noticed of a data set that is known:
- a file that was added, removed, renamed or replaced: at the start, since its folder has changed (see `listing`).
- a file that was rewritten in place, which changes no folder: at the start, if it is among the files that are compared.
  These are as many as half a second allows, at least one of PASSES, and others each time: all of them in a split of up
  to 100,000 files or so on a local disk. To look at a million takes 3 to 13 seconds there, and on a network file system
  many minutes. Every other file is compared when it is read (see KnownFiles).
"""

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from engine.data.folder.listing import DEAD, UNKNOWN, Listing

PASSES = 64  # each looks at every 64th file
CHECK_SECONDS = 0.5  # no further pass begins after this time
PROBED = 500  # files that show how slow the file system is
SLOW = 50e-6  # seconds a file; a local disk takes 2 to 10 us, a network file system 0.3 to 1 ms
THREADS = 16  # for a slow file system, which answers many questions at once
CHUNK = 500  # files that a thread looks at in one go

Facts = tuple[NDArray[np.int64], NDArray[np.int64]]  # sizes and times, as in Listing


def with_facts(listing: Listing) -> Listing:
    """The listing with the sizes and times of all entries. Returns `listing` itself, if nothing was new.

    Entries without a size are looked at; of the others a sample. If one of these has changed, all are looked at.
    """
    paths = listing.paths()
    new = np.flatnonzero(listing.sizes == UNKNOWN)
    if len(new) < len(paths) and _sample_differs(listing, paths):
        new = np.arange(len(paths))
    return listing.with_facts(new, *look(paths[new])) if len(new) else listing


def look(paths: NDArray[np.bytes_]) -> Facts:
    """The sizes and times of files."""
    begun = time.perf_counter()
    found = _facts(paths[:PROBED])
    if time.perf_counter() - begun <= SLOW * len(paths[:PROBED]):
        found += _facts(paths[PROBED:])
    else:
        with ThreadPoolExecutor(THREADS) as pool:
            chunks = [paths[begin : begin + CHUNK] for begin in range(PROBED, len(paths), CHUNK)]
            found += [facts for part in pool.map(_facts, chunks) for facts in part]
    both = np.array(found, np.int64).reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def seconds(times: NDArray[np.int64]) -> list[int]:
    """Times in whole seconds, rounded as `int(os.stat_result.st_mtime)` rounds."""
    whole, rest = np.divmod(times, 10**9)
    rounded: list[int] = np.trunc(whole + 1e-9 * rest).astype(np.int64).tolist()
    return rounded


class KnownFiles:
    """The sizes and times that files had when their data set was fingerprinted.

    forget: called when a file has changed since, so that the next fingerprint looks at all files.
    """

    def __init__(self, sizes: NDArray[np.int64], times: NDArray[np.int64], forget: Callable[[], None]) -> None:
        self._sizes, self._times, self.forget = sizes, times, forget

    def differs(self, index: int, path: bytes) -> bool:
        """Whether a file has changed. path: that of file number `index`."""
        size, changed = _fact(path)
        return size != DEAD and (size, changed) != (self._sizes[index], self._times[index])

    def in_order(self, order: NDArray[np.int64]) -> "KnownFiles":
        """The same files in another order. order: the indices of the files."""
        return KnownFiles(self._sizes[order], self._times[order], self.forget)


def changed_remark(path: bytes) -> str:
    """A line for the user: a file is not the one that was fingerprinted."""
    return f"{os.fsdecode(path)} has changed since the data set was fingerprinted; the fingerprint is of the old file"


def _sample_differs(listing: Listing, paths: NDArray[np.bytes_]) -> bool:
    begun = time.perf_counter()
    for first in random.sample(range(PASSES), PASSES):
        part = np.s_[first::PASSES]
        known = listing.sizes[part] != UNKNOWN
        sizes, times = look(paths[part][known])
        if (sizes != listing.sizes[part][known]).any() or (times != listing.times[part][known]).any():
            return True
        if time.perf_counter() - begun > CHECK_SECONDS:
            return False
    return False


def _facts(paths: NDArray[np.bytes_]) -> list[tuple[int, int]]:
    return [_fact(path) for path in paths.tolist()]


def _fact(path: bytes) -> tuple[int, int]:
    """The size and the time of a file."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - a million Paths would take seconds
    except OSError:  # such as a link in a circle
        return DEAD, 0
    return facts.st_size, facts.st_mtime_ns
