"""Submitting several runs at once, such as the runs of a sweep.

Most of the time of a submission goes by until the disk has each file. Many files at once take little longer than one,
so the runs are submitted in batches, with one thread for each run of a batch.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path

from engine.config.run import RunConfig
from engine.protocol.provenance import code_version
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import DeviceError, UserError
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import Notes, encoded
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.submit import in_one_line, place_in_queue, serve
from fastadv_tui.supervise.keeper_life import keeper_alive
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.slots import devices_for

BATCH = 25  # runs
ORDER = 1e-6  # seconds between the times of two runs of a group; runs start in the order of their times


def submit_group(
    configs: Iterable[RunConfig],
    command: Sequence[str],
    tags: Sequence[str],
    slots: int = 1,
    queued: Callable[[RunDir], None] = lambda rundir: None,
    code_of: Path | None = None,
) -> list[str]:
    """Submit runs in their order, each with these tags. queued: called with each run that has its place in the queue.
    code_of: the folder of a run, as for `create_run`.

    Returns: warnings about rows of the history that could not be written; the runs were submitted all the same.
    Raises: HomeError, RunError. The runs that `queued` was called with keep their places. After an interrupt, too, it
    has been called with each run that has a place, and no other run is left.
    """
    configs, queue, batch = list(configs), RunQueue.of_home(), _Batch(queued)
    notes = encoded(Notes(tags=list(tags)))
    create = partial(create_run, command=command, slots=slots, code=code_version(), notes=notes, code_of=code_of)
    begun, devices = time.time(), _devices_of(configs)
    with suppress(UserError):  # the same error follows below, where the rows are written
        History().begin()
    with ThreadPoolExecutor(BATCH) as pool:
        try:
            for first in range(0, len(configs), BATCH):
                numbered = enumerate(configs[first : first + BATCH], first)
                batch.create(pool, [partial(create, config, submitted=begun + ORDER * n) for n, config in numbered])
                batch.place(pool, queue, devices)
        except BaseException as error:  # also an interrupt, at any moment
            batch.end(interrupted=not isinstance(error, Exception))
            raise
    try:
        History().record_all(batch.told)
    except UserError as error:
        return [f"all runs were submitted, but {error}; `fastadv reindex` writes their rows"]
    return []


def _devices_of(configs: Iterable[RunConfig]) -> Callable[[str], tuple[str, ...]]:
    """As `devices_for`, with its answers for these runs: to open NVML for each run would take longer than the rest."""
    devices = cache(devices_for)
    with suppress(DeviceError):  # raised again for the run
        for wanted in {config.device for config in configs}:
            devices(wanted)
    return devices


class _Batch:
    """The runs of one batch after another. The threads note here what they have done, so that no interrupt hides it.

    told: the runs of all batches that `queued` was called with.
    """

    def __init__(self, queued: Callable[[RunDir], None]) -> None:
        self._queued = queued
        self._changed = threading.Condition()
        self._running, self._ended = 0, False  # jobs of threads, and whether no further job may begin
        self._created: dict[int, RunDir] = {}  # by their place in the batch
        self._placed: set[RunDir] = set()
        self._told: set[RunDir] = set()  # of this batch
        self.told: list[RunDir] = []

    def create(self, pool: ThreadPoolExecutor, creations: Sequence[Callable[[], RunDir]]) -> None:
        """Create the runs of a batch, or none of them. Raises: HomeError."""
        self._created, self._placed, self._told = {}, set(), set()
        futures = [pool.submit(self._create, n, creation) for n, creation in enumerate(creations)]
        wait(futures)
        try:
            for future in futures:
                future.result()
        except Exception:
            self._remove_runs_without_place()
            raise

    def place(self, pool: ThreadPoolExecutor, queue: RunQueue, devices: Callable[[str], tuple[str, ...]]) -> None:
        """Give the runs their places in the queue, tell of them, and start those whose turn has come.

        Raises: HomeError, RunError, for the first run that has no place, after the others were told of.
        """
        runs = [self._created[n] for n in sorted(self._created)]
        with in_one_line(runs[0]), queue.locked():
            try:
                futures = [pool.submit(self._place, rundir, queue, devices) for rundir in runs]
                wait(futures)
            except BaseException:  # an interrupt: the threads need the lock until they are done
                self._end_threads()
                raise
        if not keeper_alive(queue):
            serve(queue)
        self._tell()
        for future in futures:
            future.result()

    def end(self, interrupted: bool) -> None:
        """Tell of the runs that have places. After an interrupt, remove those that were created and have none."""
        self._end_threads()
        self._tell()
        if interrupted:
            self._remove_runs_without_place()

    def _create(self, number: int, creation: Callable[[], RunDir]) -> None:
        with self._job() as may_begin:
            if may_begin:
                self._created[number] = creation()

    def _place(self, rundir: RunDir, queue: RunQueue, devices: Callable[[str], tuple[str, ...]]) -> None:
        with self._job() as may_begin:
            if may_begin:
                place_in_queue(rundir, queue, devices)
                self._placed.add(rundir)

    @contextmanager
    def _job(self) -> Iterator[bool]:
        with self._changed:
            may_begin = not self._ended
            self._running += 1
        try:
            yield may_begin
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _end_threads(self) -> None:
        """Wait for the jobs that have begun, and let no other begin.

        To shut down the pool is not enough: it does not know a thread if an interrupt came while it started the thread.
        """
        with self._changed:
            self._ended = True
            self._changed.wait_for(lambda: not self._running)

    def _tell(self) -> None:
        """Tell of the placed runs, in their order. A run whose telling is interrupted is told of once more."""
        for number in sorted(self._created):
            rundir = self._created[number]
            if rundir in self._placed and rundir not in self._told:
                self._queued(rundir)
                self._told.add(rundir)
                self.told.append(rundir)

    def _remove_runs_without_place(self) -> None:
        for rundir in self._created.values():
            if rundir not in self._placed:
                shutil.rmtree(rundir.path, ignore_errors=True)
