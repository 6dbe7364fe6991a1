"""Find out which copies exist. The folders are listed class by class, so a second start is quick."""

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from engine.data.prepare.copy import FULL, UNFINISHED_SUFFIX, CopyError, Task
from engine.data.prepare.source import File, ImageClass, Source

IMAGES_PER_TASK = 16  # fewer would cost time in messages; more would make the progress bar jump


def folders_of(source: Source, sizes: Collection[int]) -> list[str]:
    """The folders of OUT that copies are written to. For a source of folders, `full` is only a link."""
    return ([] if source.folders else [FULL]) + [str(size) for size in sizes]


def missing_copies(
    source: Source, out: Path, folders: list[str], quality: int, tick: Callable[[int, int], None]
) -> list[Task]:
    """The tasks that are left. tick: called with the number of finished classes and the number of all classes.

    Deletes unfinished files of killed processes. The caller must make sure that no other process writes to OUT during
    the call.
    """
    tasks: list[Task] = []
    same: dict[tuple[str, ...], tuple[str, ...]] = {}  # equal tuples are stored once: there are millions
    for number, images in enumerate(source.classes):
        tick(number, len(source.classes))
        there = {folder: _present(out / folder / images.place) for folder in folders}
        todo = [
            (file, same.setdefault(lacking, lacking))
            for file in images.files
            if (lacking := tuple(folder for folder in folders if _stale(images, file, there[folder])))
        ]
        for start in range(0, len(todo), IMAGES_PER_TASK):
            files, lacks = zip(*todo[start : start + IMAGES_PER_TASK], strict=True)
            tasks.append(Task(replace(images, files=list(files)), list(lacks), out, quality))
    return tasks


def check_copies(
    source: Source, out: Path, folders: list[str], broken: Collection[str], tick: Callable[[int, int], None]
) -> dict[str, int]:
    """The number of intact images per split. broken: images without copies, as "SPLIT/CLASS/FILE".

    Raises: CopyError, unless each folder has exactly one copy of every intact image.
    """
    counts = dict.fromkeys(source.counts(), 0)
    for number, images in enumerate(source.classes):
        tick(number, len(source.classes))
        intact = {file.name for file in images.files if f"{images.place}/{file.name}" not in broken}
        if not intact:
            raise CopyError(f"all images of {images.place} are broken; replace them, or remove the class")
        for folder in folders:
            _compare(out / folder / images.place, intact)
        counts[images.split] += len(intact)
    for path, label in _classes(out, folders):
        if label not in source.labels():
            raise CopyError(f"{path} is not a class of the source; remove it, and run the same command again")
    return counts


def _compare(folder: Path, intact: set[str]) -> None:
    present = set(_present(folder))
    if present == intact:
        return
    lacking, foreign = sorted(intact - present), sorted(present - intact)
    if lacking:
        raise CopyError(
            f"{folder} lacks {len(lacking):,} of {len(intact):,} copies, such as {lacking[0]}; "
            "run the same command again"
        )
    raise CopyError(
        f"{folder} holds {len(foreign):,} files without an intact image in the source, such as {foreign[0]}; "
        "remove them, and run the same command again"
    )


def _stale(images: ImageClass, file: File, present: dict[str, float]) -> bool:
    """Whether a copy is missing or older than its source. Images in tar files do not change."""
    made = present.get(file.name)
    if made is None or file.offset >= 0:
        return made is None
    try:
        return (images.container / file.name).stat().st_mtime > made
    except OSError:
        return True  # copying the image will report the error


def _present(folder: Path) -> dict[str, float]:
    """The complete files of a folder, and their modification times. Removes unfinished files."""
    found: dict[str, float] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") and entry.name.endswith(UNFINISHED_SUFFIX):
                    os.unlink(entry.path)  # noqa: PTH108
                elif entry.is_file() and (facts := entry.stat()).st_size:
                    found[entry.name] = facts.st_mtime
    except FileNotFoundError:
        pass
    return found


def _classes(out: Path, folders: list[str]) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for split in sorted(os.listdir(out / folder)):
            for label in sorted(os.listdir(out / folder / split)):
                yield str(out / folder / split / label), label
