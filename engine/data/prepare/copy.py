"""Writing the copies of some images of one class, in a process among several; what is written is whole or not there."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.folder.rgb import OF_ONE_FILE
from engine.data.prepare.resize import BrokenImageError, copies
from engine.data.prepare.source import File, ImageClass

FULL = "full"
LEFTOVER = ".part"  # how the names of unfinished files end; they begin with a dot


class CopyError(Exception):
    """Nothing more can be read or written; says why in one line."""


@dataclass(frozen=True)
class Task:
    """Some images of a class, each with the folders of OUT ("full", "160") that lack it."""

    images: ImageClass  # only those to copy
    missing: list[tuple[str, ...]]
    out: Path
    quality: int


@dataclass
class Report:
    """What has become of a task; broken: the place of an image, and what is wrong with it."""

    done: int = 0
    resized: int = 0
    copied: int = 0
    broken: dict[str, str] = field(default_factory=dict)


def perform(task: Task, stopped: Callable[[], bool]) -> Report:
    """Write the copies, until `stopped`. Raises: CopyError."""
    report = Report()
    for file, folders in zip(task.images.files, task.missing, strict=True):
        if stopped():
            break
        _copy(task, file, folders, report)
        report.done += 1
    return report


def made(content: bytes, folders: tuple[str, ...], quality: int) -> dict[str, bytes]:
    """What goes into each of the folders. Raises: BrokenImageError, also if only the full one is asked for."""
    sizes = [int(folder) for folder in folders if folder != FULL]
    found = dict(zip((str(size) for size in sizes), copies(content, sizes, quality), strict=True))
    return {folder: content if folder == FULL else found[folder] for folder in folders}


def _copy(task: Task, file: File, folders: tuple[str, ...], report: Report) -> None:
    place = f"{task.images.place}/{file.name}"
    try:
        content = task.images.read(file)
        contents = made(content, folders, task.quality)
    except BrokenImageError as error:
        report.broken[place] = str(error)
        return
    except FileNotFoundError:
        report.broken[place] = "a link that leads to no file"
        return
    except OSError as error:
        if error.errno in OF_ONE_FILE:
            report.broken[place] = error.strerror or str(error)
            return
        raise CopyError(f"cannot read {task.images.container} ({place}): {error.strerror or error}") from None
    except MemoryError:
        raise CopyError(f"not enough memory for {place}; use fewer --workers") from None
    for folder, data in contents.items():
        write(task.out / folder / place, data)
        if data is content:
            report.copied += 1
        else:
            report.resized += 1


def write(path: Path, data: bytes) -> None:
    """A new file, complete from the moment it has its name. Raises: CopyError.

    Not synced one by one, which would take hours for millions of files: a machine that loses power may leave empty
    files, which count as missing.
    """
    temporary = path.parent / f".{os.getpid()}{LEFTOVER}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        try:
            temporary.unlink(missing_ok=True)
        finally:
            raise CopyError(cannot_write(path, error)) from None


def cannot_write(path: Path, error: OSError) -> str:
    """Why, in one line, and what to do about it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({path}); make room, and the same command goes on from here"
    return f"cannot write {path}: {error.strerror or error}"
