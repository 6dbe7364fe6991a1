"""What a folder of images holds: an ImageFolder, class by class, checked before anything is done with it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from engine.config.errors import ConfigError
from engine.data.folder.layout import EXTENSIONS, VAL_NAMES

SPLITS = ("train", "val")


class SourceError(ConfigError):
    """The source cannot be used, and a user can put that right."""


class File(NamedTuple):
    """An image: of `size` bytes at `offset` in a tar file, or a file of its own where offset is -1."""

    name: str
    offset: int = -1
    size: int = 0


@dataclass(frozen=True)
class ImageClass:
    """The images of a class in a split; `container` is their folder, or the tar file that they are in.

    strangers: names of what lies among them and is none.
    """

    split: str
    label: str
    container: Path
    files: list[File]
    strangers: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.split}/{self.label}"

    def read(self, file: File) -> bytes:
        """Raises: OSError."""
        if file.offset < 0:
            return (self.container / file.name).read_bytes()
        with self.container.open("rb") as tar:
            tar.seek(file.offset)
            return tar.read(file.size)


@dataclass(frozen=True)
class Source:
    """Everything to prepare; folders: where the splits lie, empty when they are in tar files."""

    kind: str
    classes: list[ImageClass]
    folders: dict[str, Path]

    def labels(self) -> tuple[str, ...]:
        return tuple(sorted({found.label for found in self.classes}))

    def strangers(self) -> list[str]:
        """What lies among the images and is none, as "SPLIT/CLASS/FILE"."""
        return [f"{one.place}/{name}" for one in self.classes for name in one.strangers]

    def counts(self) -> dict[str, int]:
        return {split: sum(len(one.files) for one in self.classes if one.split == split) for split in SPLITS}


def is_image_folder(source: Path) -> bool:
    """Whether there are folders of training and of validation images."""
    return (source / "train").is_dir() and any((source / name).is_dir() for name in VAL_NAMES)


def image_folder(source: Path) -> Source:
    """The ImageFolder that is there. Raises: SourceError, if there is something amiss with it."""
    val = next(source / name for name in VAL_NAMES if (source / name).is_dir())
    folders = {"train": source / "train", "val": val}
    classes = [_listed(split, found) for split, folder in folders.items() for found in _class_folders(folder)]
    return Source("an ImageFolder", checked(classes), folders)


def checked(classes: list[ImageClass]) -> list[ImageClass]:
    """The classes, if both splits have the same ones and none is empty. Raises: SourceError."""
    for found in classes:
        if not found.files:
            raise SourceError(f"{found.place} in {found.container} holds no images; remove it, or put them there")
    train, val = ({found.label for found in classes if found.split == split} for split in SPLITS)
    if train != val:
        more = sorted(train - val) or sorted(val - train)
        here, there = ("train", "val") if train - val else ("val", "train")
        raise SourceError(f"classes that are in {here} but not in {there}: {_few(more)}")
    if not train:
        raise SourceError("train and val hold no classes: train/CLASS/FILE and val/CLASS/FILE are looked for")
    return classes


def plain_name(name: str, where: Path) -> str:
    """The name, if a copy may be written and listed under it. Raises: SourceError."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SourceError(f"{where} holds a name that is not UTF-8: {name!r}; rename it") from None
    if "/" in name or name.startswith(".") or not name:
        raise SourceError(f"{where} holds {name!r}, which is no name for an image or a class")
    return name


def _class_folders(split: Path) -> list[Path]:
    names = sorted(plain_name(name, split) for name in os.listdir(split) if not name.startswith("."))
    for name in names:
        if not (split / name).is_dir():
            raise SourceError(f"{split / name} is a file where the folder of a class should be; move it away")
    return [split / name for name in names]


def _listed(split: str, folder: Path) -> ImageClass:
    files, strangers = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(EXTENSIONS):
                files.append(File(plain_name(entry.name, folder)))
            elif entry.is_dir():
                raise SourceError(f"{entry.path} is a folder; the images of a class lie in its own folder, in no other")
            else:
                strangers.append(entry.name)
    return ImageClass(split, folder.name, folder, sorted(files), tuple(sorted(strangers)))


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5:,} more" if len(listed) > 5 else "")
