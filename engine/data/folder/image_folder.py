"""Lists the classes, sizes and files of a folder of images.

A plain folder holds ROOT/{train,val}/CLASS/FILE. A folder that `fastadv prepare` made holds
ROOT/{full,160,352,...}/{train,val}/CLASS/FILE and ROOT/prepared.json.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import DataError
from engine.config.plain_file import not_plain
from engine.data.folder.file_facts import KnownFiles, seconds, with_facts
from engine.data.folder.layout import EXTENSIONS, VAL_NAMES, is_litter, nested_images, nested_message
from engine.data.folder.listing import DEAD, IMAGE, UNKNOWN, Listing, listed
from engine.data.folder.listing_cache import (
    fingerprint_of,
    forget_listing,
    keep_fingerprint,
    keep_listing,
    load_listing,
)

FULL = "full"
MANIFEST, PLAN = "prepared.json", ".preparing.json"  # a preparation writes MANIFEST at its end, PLAN at its start
SPLITS = {"train": ("train",), "val": VAL_NAMES}  # names that a split may have
LAYOUT = "train/CLASS/FILE and val/CLASS/FILE"


class ImageFolder:
    """The classes and prepared sizes (shorter sides in pixels) of a folder. `files` lists the files.

    ignored: the files in full size that are not images, by split, as "SPLIT/CLASS/FILE" or "SPLIT/FILE"; filled by
    `files`.
    The constructor raises: DataError, if the folder is not a data set of images, or its splits differ in their classes.
    """

    def __init__(self, root: Path) -> None:
        try:
            self._scan(root)
        except OSError as error:  # missing rights, or a file system that is not mounted
            raise DataError(f"cannot read {error.filename or root}: {error.strerror}") from None

    def _scan(self, root: Path) -> None:
        if root.is_file():
            raise DataError(f"{root} is a file; an image folder holds {LAYOUT}")
        if not root.is_dir():
            raise DataError(f"the image folder {root} does not exist; make it with `fastadv prepare`, or name another")
        self.root = root
        self._full = root / FULL if (root / FULL).is_dir() or (root / FULL).is_symlink() else root
        self.sizes = tuple(sorted(int(entry) for entry in os.listdir(root) if entry.isdecimal()))
        self.classes, _ = _classes(self._split("train", 0))
        other, _ = _classes(self._split("val", 0))
        if odd := sorted(set(self.classes) ^ set(other)):
            where = "train" if odd[0] in self.classes else "val"
            raise DataError(f"{root}: the class {odd[0]} is only in {where}; both splits need the same classes")
        self._broken = _broken(root)
        self.ignored: dict[str, list[str]] = {}
        self._listings: dict[tuple[str, int], Listing] = {}

    def files(self, split: str, size: int) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        """Absolute paths (bytes) and class numbers (int64), sorted by class and file name.

        split: "train" or "val". size: the shorter side in pixels, 0 for full size.
        Paths are an array of bytes: workers share its memory. Counting references to millions of Python strings
        would copy them into each worker.

        Raises: DataError, if the size is not prepared, or a class is empty or holds a folder of images.
        """
        listing = self._listing(split, size)
        for other in listing.others():
            if other.is_dir() and (count := nested_images(other)):
                raise DataError(nested_message(other, count))
        taken, labels = self._taken(split, listing), listing.labels
        without = np.flatnonzero(np.bincount(labels[taken], minlength=len(self.classes)) == 0)
        if len(without):
            how = "run `fastadv prepare` again" if size else f"image names end in {', '.join(EXTENSIONS)}"
            raise DataError(f"the class {listing.folder / self.classes[without[0]]} has no images ({how})")
        if not size:
            beside = _classes(listing.folder)[1]
            ignored = [str(other.relative_to(listing.folder)) for other in listing.others()]
            self.ignored[split] = [f"{split}/{name}" for name in beside + ignored]
        return listing.paths()[taken], labels[taken]

    def fingerprint(self) -> str:
        """A hash of the names, sizes and times of all files in full size. A hash of their pixels would take hours.

        A file that was added, removed or renamed since the last time is always seen. One that was rewritten in place
        is seen if it is among those that `file_facts` compares. After this call, `known_files` gives what is needed to
        recognize the others when they are read. Raises: as `files`.
        """
        for split in SPLITS:
            listing = self._listing(split, 0)
            self._keep(split, 0, with_facts(listing), listing)
        listings = [self._listings[split, 0] for split in SPLITS]
        content = _content_hash(listings)
        kept = fingerprint_of(self.root, content)
        if kept is None:
            kept = _fingerprint(listings)
            keep_fingerprint(self.root, content, kept)
        return kept

    def known_files(self, split: str, size: int) -> KnownFiles | None:
        """The files of `files` as the last fingerprint saw them. None if it did not look at this size."""
        listing = self._listings.get((split, size))
        if listing is None or (listing.sizes == UNKNOWN).any():
            return None
        taken = self._taken(split, listing)
        return KnownFiles(listing.sizes[taken], listing.times[taken], partial(forget_listing, listing.folder))

    def _listing(self, split: str, size: int) -> Listing:
        """The entries of the class folders. They are read once, by the first call."""
        if (split, size) not in self._listings:
            folder = self._split(split, size)
            known = load_listing(folder)
            self._keep(split, size, listed(folder, self.classes, known), known)
        return self._listings[split, size]

    def _keep(self, split: str, size: int, listing: Listing, before: Listing | None) -> None:
        self._listings[split, size] = listing
        if listing is not before:
            keep_listing(listing)

    def _taken(self, split: str, listing: Listing) -> NDArray[np.bool_]:
        """Which entries are images that can be read, as far as `fastadv prepare` knows."""
        taken: NDArray[np.bool_] = listing.kinds == IMAGE
        labels = listing.labels
        for number in self._classes_with_broken(split):
            begin, end = np.searchsorted(labels, [number, number + 1])
            names = (os.fsdecode(name) for name in listing.names[begin:end].tolist())
            good = [f"{split}/{self.classes[number]}/{name}" not in self._broken for name in names]
            taken[begin:end] &= np.array(good, np.bool_)
        return taken

    def _classes_with_broken(self, split: str) -> list[int]:
        """The numbers of the classes that hold broken images."""
        if not self._broken:
            return []
        names = {place.split("/")[1] for place in map(str, self._broken) if place.startswith(f"{split}/")}
        return [number for number, name in enumerate(self.classes) if name in names]

    def _split(self, split: str, size: int) -> Path:
        base = self.root / str(size) if size else self._full
        if size and size not in self.sizes:
            known = f"it has {', '.join(map(str, self.sizes))}" if self.sizes else "it has only the full size"
            how = f"make it with `fastadv prepare NAME SRC --sizes {size}`"
            raise DataError(f"{self.root} is not prepared in size {size} ({known}); {how}")
        if base.is_symlink() and not base.exists():
            raise DataError(
                f"{base} is a link to {base.readlink()}, which does not exist; restore that folder, or correct the link"
            )
        for name in SPLITS[split]:
            if (base / name).is_dir():
                return base / name
        raise DataError(f"{base} is not a data set of images: it has no {split} folder; expected {LAYOUT}")


def _classes(folder: Path) -> tuple[tuple[str, ...], list[str]]:
    """The names of the classes of a split, and of the litter beside them. Raises: DataError; OSError."""
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    classes = tuple(name for name in names if not is_litter(name))
    for name in classes:
        if not (folder / name).is_dir():
            raise DataError(f"{folder / name} is a file; expected a folder for each class: {LAYOUT}")
    if not classes:
        raise DataError(f"{folder} has no classes; expected {LAYOUT}")
    return classes, [name for name in names if is_litter(name)]


def _content_hash(listings: Sequence[Listing]) -> str:
    """A quick hash of all that the fingerprint depends on."""
    digest = hashlib.blake2b(digest_size=16)
    for listing in listings:
        digest.update("/".join(listing.classes).encode(errors="surrogateescape"))
        for array in (listing.counts, listing.names, listing.sizes, listing.times):
            digest.update(f"/{array.dtype}/{len(array)}/".encode())
            digest.update(array.data)
    return digest.hexdigest()


def _fingerprint(listings: Sequence[Listing]) -> str:
    """The fingerprint of the train and val split."""
    digest = hashlib.blake2b(digest_size=6)
    for split, listing in zip(SPLITS, listings, strict=True):
        for name, part in listing.by_class().items():
            inside = f"{split}/{name}/".encode(errors="surrogateescape")
            facts = zip(part.names.tolist(), part.sizes.tolist(), seconds(part.times), strict=True)
            for entry, size, changed in facts:
                said = b"a link that leads nowhere" if size == DEAD else b"%d %d" % (size, changed)
                digest.update(b"%b%b %b\n" % (inside, entry, said))
    return digest.hexdigest()


def _broken(root: Path) -> frozenset[str]:
    """The images, as `train/CLASS/FILE`, that `fastadv prepare` could not read."""
    try:
        if instead := not_plain(root / MANIFEST):
            raise DataError(f"{root / MANIFEST} is {instead}; remove it and run `fastadv prepare` again")
        return frozenset(json.loads((root / MANIFEST).read_bytes())["broken"])
    except FileNotFoundError:
        if (root / PLAN).exists():
            raise DataError(f"{root} is not complete: run `fastadv prepare` again to finish it") from None
        return frozenset()
    except PermissionError:
        raise DataError(f"{root / MANIFEST} cannot be read: no permission; ask its owner for read access") from None
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{root / MANIFEST} is unreadable; remove it and run `fastadv prepare` again") from None
