"""Run one preparation, from reading the source to writing `prepared.json`."""

import os
import random
import shutil
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config.errors import ConfigError
from engine.config.typed import decode
from engine.data.folder.layout import VAL_NAMES, ignored_remark
from engine.data.folder.rgb import UnsupportedImageError
from engine.data.prepare import imagenet_tars
from engine.data.prepare.copy import FULL, Report, Task, encode_copies
from engine.data.prepare.inventory import check_copies, folders_of, missing_copies
from engine.data.prepare.resize import BrokenImageError
from engine.data.prepare.source import Source, SourceError, image_folder, is_image_folder
from engine.data.prepare.worker_pool import WorkerPool
from engine.protocol.answers import answer
from engine.protocol.files import FOR_ALL, write_atomic
from engine.protocol.requests import (
    LARGEST,
    PREPARED,
    SMALLEST,
    Completed,
    Planned,
    Prepared,
    PrepareRequest,
    Progress,
    read_prepared,
)
from engine.protocol.stop import StopRequest
from engine.runtime.cores import usable_cores

PLAN, LOCK, INDEX = ".preparing.json", ".prepare.lock", ".tars.json"  # names of files in OUT
ANSWER_EVERY = 0.2  # seconds between answers about progress
SAMPLE = 24  # images that are resized to estimate the disk space needed
BLOCK = 4096  # bytes: the disk space of a file is a multiple of it


class Manifest(Struct, frozen=True):
    """What the copies in OUT are made from. It is written before the first copy."""

    source: str
    quality: int


class Preparation:
    """One preparation: finds the missing copies, makes them, checks all copies, and writes `prepared.json`."""

    def __init__(self, asked: PrepareRequest, stop: StopRequest) -> None:
        self._asked, self._stop = asked, stop
        self._out = Path(asked.out)
        self._last_answer = 0.0

    def run(self) -> Completed:
        """Prepare the images. Raises: ConfigError, CopyError, Stopped, OSError."""
        begun = time.monotonic()
        before = self._claim()
        source = self._source()
        plan = msgspec.json.encode(Manifest(self._asked.source, self._asked.quality))
        write_atomic(self._out / PLAN, plan, FOR_ALL)  # readable for all, as the copies: a group may share them
        if source.folders:
            _link_full(source, Path(self._asked.source), self._out)
        sizes = tuple(sorted({*self._asked.sizes, *(before.sizes if before else ())}))
        folders = folders_of(source, sizes)
        tasks = missing_copies(source, self._out, folders, self._asked.quality, self._ticker("looking"))
        answer(self._planned(source, sizes, tasks))
        done = self._copied(tasks)
        os.sync()  # before `prepared.json`, which says that all copies exist
        counts = check_copies(source, self._out, folders, done.broken, self._ticker("checking"))
        prepared = Prepared(
            source=self._asked.source,
            quality=self._asked.quality,
            classes=source.labels(),
            counts=counts,
            sizes=sizes,
            broken=tuple(sorted(done.broken)),
        )
        if prepared != before:
            write_atomic(self._out / PREPARED, msgspec.json.format(msgspec.json.encode(prepared)), FOR_ALL)
        return Completed(
            out=str(self._out),
            counts=counts,
            sizes=sizes,
            images=done.done,
            resized=done.resized,
            copied=done.copied,
            seconds=round(time.monotonic() - begun, 3),
            broken=dict(sorted(done.broken.items())),
        )

    def _claim(self) -> Prepared | None:
        """The earlier preparation in OUT, if any.

        Raises: SourceError, if OUT has copies of another source or quality, or files of others.
        """
        way_out = f"remove {self._out} to start again, or choose another --out"
        try:
            before, plan = read_prepared(self._out), _plan(self._out)
        except msgspec.DecodeError as error:
            raise SourceError(f"{self._out / PREPARED} or {PLAN} beside it is damaged ({error}); {way_out}") from None
        for known in (plan, before and Manifest(before.source, before.quality)):
            if known and known.source != self._asked.source:
                raise SourceError(f"{self._out} was prepared from {known.source}; {way_out}")
            if known and known.quality != self._asked.quality:
                raise SourceError(f"{self._out} was prepared with --quality {known.quality}; {way_out}")
        for name in (FULL, *map(str, self._asked.sizes)) if not plan and not before else ():
            if (found := self._out / name).exists() and found.resolve() != Path(self._asked.source):
                raise SourceError(f"{found} exists, and `fastadv prepare` did not make it; choose another --out")
        return before

    def _source(self) -> Source:
        folder = Path(self._asked.source)
        try:
            found = imagenet_tars.official(folder, self._out / INDEX, self._ticker("reading the tar files"))
            return found or image_folder(folder)
        except PermissionError as error:
            raise SourceError(f"cannot read {error.filename}: {error.strerror}") from None

    def _planned(self, source: Source, sizes: tuple[int, ...], tasks: list[Task]) -> Planned:
        return Planned(
            kind=source.kind,
            source=self._asked.source,
            out=str(self._out),
            classes=len(source.labels()),
            images=source.counts(),
            sizes=sizes,
            quality=self._asked.quality,
            workers=_workers(self._asked),
            existing=sum(source.counts().values()) - sum(len(task.missing) for task in tasks),
            needed=_estimate(tasks),
            free=shutil.disk_usage(self._out).free,
            remarks=[ignored_remark(places)] if (places := source.ignored()) else [],
        )

    def _copied(self, tasks: list[Task]) -> Report:
        """Make the copies; the sum of all reports."""
        everything, total = Report(), sum(len(task.missing) for task in tasks)
        if not tasks:
            return everything
        tick = self._ticker("preparing")
        with WorkerPool(min(_workers(self._asked), len(tasks))) as pool:
            tick(0, total)
            for report in pool.perform(iter(tasks), self._stop.check):
                _add(everything, report)
                tick(everything.done, total)
        return everything

    def _ticker(self, stage: str) -> imagenet_tars.Tick:
        """A function that answers with the progress of a stage, at a limited rate. The function raises Stopped."""

        def tick(done: int, total: int) -> None:
            if time.monotonic() - self._last_answer > ANSWER_EVERY or done == total:
                self._last_answer = time.monotonic()
                answer(Progress(stage=stage, done=done, total=total))
            self._stop.check()

        return tick


def check_request(asked: PrepareRequest) -> None:
    """Check what a user can get wrong in a request. Raises: ConfigError."""
    source, out = Path(asked.source), Path(asked.out)
    if not source.is_dir():
        raise SourceError(f"{source} is not a folder" if source.exists() else f"{source} does not exist")
    if out == source or source in out.parents:
        raise SourceError(f"the copies cannot go into {out}, which is inside the source; choose another --out")
    if not (source / imagenet_tars.TRAIN).is_file() and not is_image_folder(source):
        raise SourceError(
            f"no data set in {source}: expected {imagenet_tars.TRAIN} with {imagenet_tars.VAL} and "
            f"{imagenet_tars.DEVKIT}, or folders train/CLASS and {'|'.join(VAL_NAMES)}/CLASS"
        )
    if not asked.sizes or not all(SMALLEST <= size <= LARGEST for size in asked.sizes):
        raise ConfigError(f"--sizes: each must be {SMALLEST} to {LARGEST} pixels, such as 160,352")
    if not 1 <= asked.quality <= 100:
        raise ConfigError(f"--quality {asked.quality}: must be 1 to 100")
    if asked.workers < 0:
        raise ConfigError(f"--workers {asked.workers}: must be at least 1")


def _plan(out: Path) -> Manifest | None:
    try:
        return decode((out / PLAN).read_bytes(), Manifest)
    except FileNotFoundError:
        return None


def _link_full(source: Source, folder: Path, out: Path) -> None:
    """Make `full` a link to the source. If the source does not call its split "val", link the splits one by one."""
    if source.folders["val"].name == "val":
        _link(out / FULL, folder)
        return
    (out / FULL).mkdir(exist_ok=True)
    for split, target in source.folders.items():
        _link(out / FULL / split, target)


def _link(link: Path, target: Path) -> None:
    if link.exists() and link.resolve() == target.resolve():
        return
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise SourceError(f"{link} is in the way of a link to {target}; remove {link}")
    link.symlink_to(target)


def _estimate(tasks: list[Task]) -> int:
    """An estimate of the bytes that the missing copies will take, from a sample of them."""
    rng = random.Random(0)
    sample = [(task, rng.randrange(len(task.missing))) for task in rng.choices(tasks, k=SAMPLE if tasks else 0)]
    tried = [size for task, number in sample if (size := _disk_bytes(task, number)) is not None]
    return sum(len(task.missing) for task in tasks) * sum(tried) // len(tried) if tried else 0


def _disk_bytes(task: Task, number: int) -> int | None:
    try:
        contents = encode_copies(task.images.read(task.images.files[number]), task.missing[number], task.quality)
    except (BrokenImageError, UnsupportedImageError, OSError):
        return None
    return sum(-(-len(data) // BLOCK) * BLOCK for data in contents.values())


def _add(everything: Report, report: Report) -> None:
    everything.done += report.done
    everything.resized += report.resized
    everything.copied += report.copied
    everything.broken |= report.broken


def _workers(asked: PrepareRequest) -> int:
    if asked.workers:
        return asked.workers
    return usable_cores()
