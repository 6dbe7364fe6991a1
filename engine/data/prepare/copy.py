"""Write the copies of some images of one class. Several processes do this at once. A copy is complete or not there."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.folder.rgb import SINGLE_FILE_ERRORS, UnsupportedImageError
from engine.data.prepare.resize import BrokenImageError, copies
from engine.data.prepare.source import File, ImageClass

FULL = "full"
UNFINISHED_SUFFIX = ".part"  # an unfinished file is named .PID.part


class CopyError(Exception):
    """The preparation cannot go on. The message says why in one line."""


@dataclass(frozen=True)
class Task:
    """Some images of a class. missing: for each image, the folders of OUT ("full", "160") that have no copy of it."""

    images: ImageClass  # its files are only those to copy
    missing: list[tuple[str, ...]]
    out: Path
    quality: int


@dataclass
class Report:
    """The result of a task.

    done: images. resized, copied: files written. broken: what is wrong with an image, by its "SPLIT/CLASS/FILE".
    """

    done: int = 0
    resized: int = 0
    copied: int = 0
    broken: dict[str, str] = field(default_factory=dict)


def perform(task: Task, stopped: Callable[[], bool]) -> Report:
    """Write the copies of a task, until `stopped` returns True. Raises: CopyError."""
    report = Report()
    for file, folders in zip(task.images.files, task.missing, strict=True):
        if stopped():
            break
        _copy(task, file, folders, report)
        report.done += 1
    return report


def encode_copies(content: bytes, folders: tuple[str, ...], quality: int) -> dict[str, bytes]:
    """The file contents for each folder. Raises: BrokenImageError, even if only "full" is asked for."""
    sizes = [int(folder) for folder in folders if folder != FULL]
    found = dict(zip((str(size) for size in sizes), copies(content, sizes, quality), strict=True))
    return {folder: content if folder == FULL else found[folder] for folder in folders}


def _copy(task: Task, file: File, folders: tuple[str, ...], report: Report) -> None:
    place = f"{task.images.place}/{file.name}"
    try:
        content = task.images.read(file)
        contents = encode_copies(content, folders, task.quality)
    except (BrokenImageError, UnsupportedImageError) as error:
        report.broken[place] = str(error)
        return
    except FileNotFoundError:
        report.broken[place] = "a link to a file that does not exist"
        return
    except OSError as error:
        if error.errno in SINGLE_FILE_ERRORS:
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
    """Write a file. It is complete from the moment it has its name. Raises: CopyError.

    The file is not synced to disk: to sync millions of files one by one would take hours. A loss of power may therefore
    leave empty files. They count as missing.
    """
    temporary = path.parent / f".{os.getpid()}{UNFINISHED_SUFFIX}"
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
    """One line that says why a file cannot be written, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({path}); make room, then run the same command again to continue"
    return f"cannot write {path}: {error.strerror or error}"
