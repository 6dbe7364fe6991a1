"""The entries of the class folders of one split. Only class folders that have changed are listed again."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import DataError
from engine.data.folder.layout import EXTENSIONS

UNKNOWN, DEAD = -2, -1  # in place of a file's size: nobody has looked yet; a link that leads nowhere
HIDDEN, IMAGE, OTHER = 0, 1, 2  # what the name of an entry says
# A folder that has changed so short a time ago may change again without a new time: its clock ticks, or is another's.
YOUNG = 2 * 10**9  # ns
UNTRUSTED = (0, 0, 0, 0)  # the version of a folder that has to be listed again


@dataclass(frozen=True)
class Listing:
    """C class folders with N entries in all, class by class, sorted by name within a class.

    folder: that holds the class folders. versions: (C, 4), which change when a folder does. counts: (C,), entries of
    each class. names: (N,). kinds: (N,), HIDDEN, IMAGE or OTHER. sizes, times: (N,), bytes and ns since 1970; a size
    may be UNKNOWN or DEAD.
    """

    folder: Path
    classes: tuple[str, ...]
    versions: NDArray[np.int64]
    counts: NDArray[np.int64]
    names: NDArray[np.bytes_]
    kinds: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    times: NDArray[np.int64]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class number of each entry."""
        return np.repeat(np.arange(len(self.classes)), self.counts)

    def paths(self) -> NDArray[np.bytes_]:
        """The path of each entry. Making a million paths one by one would take seconds."""
        inside = [os.fsencode(self.folder / name) + b"/" for name in self.classes]
        width = self.names.dtype.itemsize
        room = np.zeros((len(self.names), max(map(len, inside)) + width), np.uint8)
        letters = self.names.view(np.uint8).reshape(-1, width)
        for prefix, begin, end in zip(inside, *self._bounds(), strict=True):
            room[begin:end, : len(prefix)] = np.frombuffer(prefix, np.uint8)
            room[begin:end, len(prefix) : len(prefix) + width] = letters[begin:end]
        paths: NDArray[np.bytes_] = room.view(f"S{room.shape[1]}").reshape(-1)
        return paths

    def others(self) -> list[Path]:
        """The entries, not hidden, whose names are not those of images."""
        found, labels = np.flatnonzero(self.kinds == OTHER), self.labels
        return [self.folder / self.classes[labels[place]] / os.fsdecode(self.names[place]) for place in found]

    def with_facts(self, places: NDArray[np.int64], sizes: NDArray[np.int64], times: NDArray[np.int64]) -> "Listing":
        """The listing with other sizes and times at some places."""
        new_sizes, new_times = self.sizes.copy(), self.times.copy()
        new_sizes[places], new_times[places] = sizes, times
        return replace(self, sizes=new_sizes, times=new_times)

    def by_class(self) -> Mapping[str, "Listing"]:
        """The listing of each class alone."""
        bounds = zip(self.classes, range(len(self.classes)), *self._bounds(), strict=True)
        return {name: self._part(name, number, begin, end) for name, number, begin, end in bounds}

    def _part(self, name: str, number: int, begin: int, end: int) -> "Listing":
        return Listing(
            self.folder,
            (name,),
            self.versions[number : number + 1],
            self.counts[number : number + 1],
            self.names[begin:end],
            self.kinds[begin:end],
            self.sizes[begin:end],
            self.times[begin:end],
        )

    def _bounds(self) -> tuple[list[int], list[int]]:
        """Where the entries of each class begin and end."""
        ends = np.cumsum(self.counts)
        return (ends - self.counts).tolist(), ends.tolist()


def listed(folder: Path, classes: Sequence[str], known: Listing | None) -> Listing:
    """List class folders. known: an earlier listing, whose classes are taken over if their folders have not changed.

    Returns: `known` itself, if nothing has changed. A class folder that does not exist has no entries. Raises:
    DataError, if a class folder cannot be listed.
    """
    before = known.by_class() if known else {}
    parts = [_class_folder(folder, name, before.get(name)) for name in classes]
    if known and known.classes == tuple(classes) and all(part is before[part.classes[0]] for part in parts):
        return known
    arrays = zip(*((p.versions, p.counts, p.names, p.kinds, p.sizes, p.times) for p in parts), strict=True)
    joined = (np.concatenate(pieces) for pieces in arrays)
    return Listing(folder, tuple(classes), *joined)


def _class_folder(folder: Path, name: str, known: Listing | None) -> Listing:
    """The listing of one class: `known`, if the folder has not changed since."""
    path = folder / name
    try:
        version = _version(path)
        if known and version != UNTRUSTED and tuple(known.versions[0].tolist()) == version:
            return known
        names = sorted(os.listdir(path))
    except FileNotFoundError:
        version, names = UNTRUSTED, []
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return Listing(
        folder,
        (name,),
        np.array([version], np.int64),
        np.array([len(names)], np.int64),
        np.array([os.fsencode(entry) for entry in names] or [b""], np.bytes_)[: len(names)],
        np.array([_kind(entry) for entry in names], np.uint8),
        np.full(len(names), UNKNOWN, np.int64),
        np.zeros(len(names), np.int64),
    )


def _version(path: Path) -> tuple[int, ...]:
    """Numbers that change when an entry is added, removed or renamed, or when another folder takes the place.

    A program such as rsync can set the time of the last change (mtime), but not that of the inode (ctime).
    """
    now, facts = time.time_ns(), path.stat()
    if now - max(facts.st_mtime_ns, facts.st_ctime_ns) <= YOUNG:
        return UNTRUSTED
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino


def _kind(name: str) -> int:
    if name.startswith("."):
        return HIDDEN
    return IMAGE if name.lower().endswith(EXTENSIONS) else OTHER
