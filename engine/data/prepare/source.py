"""The source of a preparation, class by class: lists a folder of images, and checks it before anything is written."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from engine.config.errors import ConfigError
from engine.data.folder.layout import EXTENSIONS, VAL_NAMES, is_litter, nested_images, nested_message
from engine.data.folder.rgb import read_image_file

SPLITS = ("train", "val")


class SourceError(ConfigError):
    """The source cannot be used. A user can correct this."""


class File(NamedTuple):
    """An image: `size` bytes at `offset` (bytes) in a tar file, or a file of its own if `offset` is -1."""

    name: str
    offset: int = -1
    size: int = 0


@dataclass(frozen=True)
class ImageClass:
    """The images of one class in one split.

    container: the folder or the tar file that holds the images. ignored: the names of other files in the folder.
    """

    split: str
    label: str
    container: Path
    files: list[File]
    ignored: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.split}/{self.label}"

    def read(self, file: File) -> bytes:
        """The bytes of an image file. Raises: OSError, UnsupportedImageError."""
        if file.offset < 0:
            return read_image_file(self.container / file.name)
        with self.container.open("rb") as tar:
            tar.seek(file.offset)
            return tar.read(file.size)


@dataclass(frozen=True)
class Source:
    """All images to prepare.

    kind: what the source is, in words. folders: of each split; empty for tar files. litter: what other programs left
    beside the classes, as "SPLIT/FILE".
    """

    kind: str
    classes: list[ImageClass]
    folders: dict[str, Path]
    litter: tuple[str, ...] = ()

    def labels(self) -> tuple[str, ...]:
        return tuple(sorted({found.label for found in self.classes}))

    def ignored(self) -> list[str]:
        """The files that are not images, as "SPLIT/CLASS/FILE" or "SPLIT/FILE"."""
        return [*self.litter] + [f"{one.place}/{name}" for one in self.classes for name in one.ignored]

    def counts(self) -> dict[str, int]:
        return {split: sum(len(one.files) for one in self.classes if one.split == split) for split in SPLITS}


def is_image_folder(source: Path) -> bool:
    """Whether `source` has a folder of training images and a folder of validation images."""
    return (source / "train").is_dir() and any((source / name).is_dir() for name in VAL_NAMES)


def image_folder(source: Path) -> Source:
    """List the images of a folder. Raises: SourceError, if its names, classes or files are not as they must be."""
    val = next(source / name for name in VAL_NAMES if (source / name).is_dir())
    folders = {"train": source / "train", "val": val}
    classes = [_listed(split, found) for split, folder in folders.items() for found in _class_folders(folder)]
    litter = tuple(f"{split}/{name}" for split, folder in folders.items() for name in _names(folder) if is_litter(name))
    return Source("an ImageFolder", checked(classes), folders, litter)


def checked(classes: list[ImageClass]) -> list[ImageClass]:
    """The classes, unchanged. Raises: SourceError, if the splits differ in their classes, or a class is empty."""
    for found in classes:
        if not found.files:
            raise SourceError(f"{found.place} in {found.container} holds no images; remove the class, or add images")
    train, val = ({found.label for found in classes if found.split == split} for split in SPLITS)
    if train != val:
        more = sorted(train - val) or sorted(val - train)
        here, there = ("train", "val") if train - val else ("val", "train")
        raise SourceError(f"{there} lacks classes that {here} has: {_few(more)}; add them, or remove them from {here}")
    if not train:
        raise SourceError("train and val hold no classes; expected train/CLASS/FILE and val/CLASS/FILE")
    return classes


def plain_name(name: str, where: Path) -> str:
    """The name, unchanged. Raises: SourceError, if a copy cannot be written and listed under this name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SourceError(f"{where} holds a name that is not UTF-8: {name!r}; rename it") from None
    if "/" in name or name.startswith(".") or not name:
        raise SourceError(f"{where} holds {name!r}, which cannot name an image or a class; rename it")
    return name


def _class_folders(split: Path) -> list[Path]:
    names = [plain_name(name, split) for name in _names(split) if not is_litter(name)]
    for name in names:
        if not (split / name).is_dir():
            raise SourceError(f"{split / name} is a file; expected only folders of classes there; move it away")
    return [split / name for name in names]


def _names(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def _listed(split: str, folder: Path) -> ImageClass:
    files, ignored = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(EXTENSIONS):
                files.append(File(plain_name(entry.name, folder)))
            elif entry.is_dir() and (count := nested_images(Path(entry.path))):
                raise SourceError(nested_message(Path(entry.path), count))
            else:
                ignored.append(entry.name)
    return ImageClass(split, folder.name, folder, sorted(files), tuple(sorted(ignored)))


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5:,} more" if len(listed) > 5 else "")
