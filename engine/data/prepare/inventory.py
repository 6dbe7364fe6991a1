"""Which copies are there: looked up class by class, so that a second start is quick."""

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from engine.data.prepare.copy import FULL, LEFTOVER, CopyError, Task
from engine.data.prepare.source import File, ImageClass, Source

IMAGES_PER_TASK = 16  # images of a task: enough to make talk cheap, few enough to show progress


def folders_of(source: Source, sizes: Collection[int]) -> list[str]:
    """The folders of OUT that are written; `full` of an ImageFolder is a link."""
    return ([] if source.folders else [FULL]) + [str(size) for size in sizes]


def missing(
    source: Source, out: Path, folders: list[str], quality: int, tick: Callable[[int, int], None]
) -> list[Task]:
    """What is left to do; removes what processes that died have left unfinished (nobody else may be at work)."""
    tasks: list[Task] = []
    same: dict[tuple[str, ...], tuple[str, ...]] = {}  # one tuple for all images that lack the same: there are millions
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


def check(
    source: Source, out: Path, folders: list[str], broken: Collection[str], tick: Callable[[int, int], None]
) -> dict[str, int]:
    """How many sound images each split has, if there is exactly one copy of each. Raises: CopyError, if not."""
    counts = dict.fromkeys(source.counts(), 0)
    for number, images in enumerate(source.classes):
        tick(number, len(source.classes))
        sound = {file.name for file in images.files if f"{images.place}/{file.name}" not in broken}
        if not sound:
            raise CopyError(f"all images of {images.place} are broken; put sound ones there, or remove the class")
        for folder in folders:
            _compare(out / folder / images.place, sound)
        counts[images.split] += len(sound)
    for path, label in _classes(out, folders):
        if label not in source.labels():
            raise CopyError(f"{path} is no class of the source; remove it, and start the same command again")
    return counts


def _compare(folder: Path, sound: set[str]) -> None:
    present = set(_present(folder))
    if present == sound:
        return
    lacking, foreign = sorted(sound - present), sorted(present - sound)
    if lacking:
        raise CopyError(
            f"{folder} holds {len(present):,} copies of {len(sound):,} sound images (no {lacking[0]}); "
            "start the same command again"
        )
    raise CopyError(
        f"{folder} holds {len(foreign):,} files that have no sound source, such as {foreign[0]}; "
        "remove them, and start the same command again"
    )


def _stale(images: ImageClass, file: File, present: dict[str, float]) -> bool:
    """Whether a copy is not there, or older than its source; what lies in tar files does not change."""
    made = present.get(file.name)
    if made is None or file.offset >= 0:
        return made is None
    try:
        return (images.container / file.name).stat().st_mtime > made
    except OSError:
        return True  # the copying will say what is wrong


def _present(folder: Path) -> dict[str, float]:
    """The whole files of a folder, and when they were made."""
    found: dict[str, float] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") and entry.name.endswith(LEFTOVER):
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
