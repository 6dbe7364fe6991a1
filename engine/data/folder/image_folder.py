"""Lists the classes, sizes and files of a folder of images.

A plain folder holds ROOT/{train,val}/CLASS/FILE. A folder that `fastadv prepare` made holds
ROOT/{full,160,352,...}/{train,val}/CLASS/FILE and ROOT/prepared.json.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import DataError
from engine.config.plain_file import not_plain
from engine.data.folder.layout import EXTENSIONS, VAL_NAMES, is_litter, nested_images, nested_message

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

    def files(self, split: str, size: int) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        """Absolute paths (bytes) and class numbers (int64), sorted by class and file name.

        split: "train" or "val". size: the shorter side in pixels, 0 for full size.
        Paths are an array of bytes: workers share its memory. Counting references to millions of Python strings
        would copy them into each worker.

        Raises: DataError, if the size is not prepared, or a class is empty or holds a folder of images.
        """
        folder = self._split(split, size)
        paths: list[bytes] = []
        labels: list[int] = []
        ignored: list[str] = []
        for number, name in enumerate(self.classes):
            inside = os.fsencode(folder / name) + b"/"
            names, others = _images(folder / name)
            ignored += [f"{split}/{name}/{other}" for other in others]
            found = [
                inside + os.fsencode(file)
                for file in names
                if not self._broken or f"{split}/{name}/{file}" not in self._broken
            ]
            if not found:
                how = "run `fastadv prepare` again" if size else f"image names end in {', '.join(EXTENSIONS)}"
                raise DataError(f"the class {folder / name} has no images ({how})")
            paths += found
            labels += [number] * len(found)
        if not size:
            self.ignored[split] = [f"{split}/{name}" for name in _classes(folder)[1]] + ignored
        return np.array(paths), np.array(labels, dtype=np.int64)

    def fingerprint(self) -> str:
        """A hash of the names, sizes and times of all files in full size. A hash of their pixels would take hours."""
        digest = hashlib.blake2b(digest_size=6)
        for split in SPLITS:
            for name in self.classes:
                for entry in sorted(os.scandir(self._split(split, 0) / name), key=lambda entry: entry.name):
                    digest.update(f"{split}/{name}/{entry.name} {_facts(entry)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

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


def _facts(entry: "os.DirEntry[str]") -> str:
    try:
        facts = entry.stat()
    except OSError:  # such as a link in a circle
        return "a link that leads nowhere"
    return f"{facts.st_size} {int(facts.st_mtime)}"


def _images(folder: Path) -> tuple[list[str], list[str]]:
    """The names of the images of a folder, and the other names in it, without hidden files.

    A folder that does not exist has no files. Raises: DataError, if the folder cannot be listed, or holds a folder of
    images.
    """
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None
    images: list[str] = []
    others: list[str] = []
    for name in names:
        if not name.startswith("."):
            (images if name.lower().endswith(EXTENSIONS) else others).append(name)
    for name in others:
        if (folder / name).is_dir() and (count := nested_images(folder / name)):
            raise DataError(nested_message(folder / name, count))
    return images, others


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
