"""A folder of images as a data set: which classes, sizes and files it has.

Plain: ROOT/{train,val}/CLASS/FILE. Prepared: ROOT/{full,160,352,...}/{train,val}/CLASS/FILE and ROOT/prepared.json.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import DataError
from engine.data.folder.layout import EXTENSIONS, VAL_NAMES

FULL = "full"
MANIFEST, BEGUN = "prepared.json", ".preparing.json"  # written at the end and at the begin of a preparation
SPLITS = {"train": ("train",), "val": VAL_NAMES}  # what people call them
LAYOUT = "train/CLASS/FILE and val/CLASS/FILE"


class ImageFolder:
    """Classes and prepared sizes (shorter sides in pixels) of a folder; files are looked for when asked for.

    Raises, when built: DataError, if it is no data set of images, or its splits do not have the same classes.
    """

    def __init__(self, root: Path) -> None:
        try:
            self._look(root)
        except OSError as error:  # a folder of somebody else's, a file system that is away
            raise DataError(f"cannot read {error.filename or root}: {error.strerror}") from None

    def _look(self, root: Path) -> None:
        if root.is_file():
            raise DataError(f"{root} is a file; an image folder holds {LAYOUT}")
        if not root.is_dir():
            raise DataError(f"the image folder {root} does not exist; `fastadv prepare` makes one, or name another")
        self.root = root
        self._full = root / FULL if (root / FULL).is_dir() or (root / FULL).is_symlink() else root
        self.sizes = tuple(sorted(int(entry) for entry in os.listdir(root) if entry.isdecimal()))
        self.classes = _classes(self._split("train", 0))
        other = _classes(self._split("val", 0))
        if odd := sorted(set(self.classes) ^ set(other)):
            where = "train" if odd[0] in self.classes else "val"
            raise DataError(f"{root}: the class {odd[0]} is only in {where}; both splits need the same classes")
        self._broken = _broken(root)
        self.strangers: dict[str, list[str]] = {}  # by split: what lies in full size among the images and is none

    def files(self, split: str, size: int) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        """Absolute paths and class numbers, in the order of their names. split: train or val; size: 0 is full.

        An array of bytes, as millions of strings would be copied into each worker as it counts references to them.

        Raises: DataError, if the size is not prepared or a class is empty.
        """
        folder = self._split(split, size)
        paths: list[bytes] = []
        labels: list[int] = []
        strangers: list[str] = []
        for number, name in enumerate(self.classes):
            inside = os.fsencode(folder / name) + b"/"
            names, others = _images(folder / name)
            strangers += [f"{split}/{name}/{other}" for other in others]
            found = [
                inside + os.fsencode(file)
                for file in names
                if not self._broken or f"{split}/{name}/{file}" not in self._broken
            ]
            if not found:
                how = "let `fastadv prepare` come to its end" if size else ", ".join(EXTENSIONS)
                raise DataError(f"the class {folder / name} has no images ({how})")
            paths += found
            labels += [number] * len(found)
        if not size:
            self.strangers[split] = strangers
        return np.array(paths), np.array(labels, dtype=np.int64)

    def fingerprint(self) -> str:
        """A hash of names, sizes and times of all files in full size: not of their pixels, which would take hours."""
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
            how = f"`fastadv prepare NAME SRC --sizes {size}` makes it"
            raise DataError(f"{self.root} is not prepared in size {size} ({known}); {how}")
        if base.is_symlink() and not base.exists():
            raise DataError(
                f"{base} is a link to {base.readlink()}, which is gone; put it back, or link to where it is"
            )
        for name in SPLITS[split]:
            if (base / name).is_dir():
                return base / name
        raise DataError(f"{base} is no data set of images: it has no {split} folder; expected {LAYOUT}")


def _classes(folder: Path) -> tuple[str, ...]:
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    for name in names:
        if not (folder / name).is_dir():
            raise DataError(f"{folder / name} is a file; expected a folder for each class: {LAYOUT}")
    if not names:
        raise DataError(f"{folder} has no classes; expected {LAYOUT}")
    return tuple(names)


def _facts(entry: "os.DirEntry[str]") -> str:
    try:
        facts = entry.stat()
    except FileNotFoundError:
        return "a link that leads nowhere"
    return f"{facts.st_size} {int(facts.st_mtime)}"


def _images(folder: Path) -> tuple[list[str], list[str]]:
    """The images of a folder and what else lies there, hidden files aside; one that is not there has nothing.

    Raises: DataError, if the folder cannot be listed.
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
    return images, others


def _broken(root: Path) -> frozenset[str]:
    """Images that could not be read when the folder was prepared, as `train/CLASS/FILE`."""
    try:
        return frozenset(json.loads((root / MANIFEST).read_bytes())["broken"])
    except FileNotFoundError:
        if (root / BEGUN).exists():
            raise DataError(f"{root} is not whole yet: let `fastadv prepare` come to its end") from None
        return frozenset()
    except PermissionError:
        raise DataError(f"{root / MANIFEST} may not be read by you; ask whoever prepared it for the right to") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{root / MANIFEST} cannot be read; run `fastadv prepare` again, which makes it anew") from None
