"""Submitting several runs at once, such as the runs of a sweep.

Most of the time of a submission goes by until the disk has each file. Many files at once take little longer than one,
so the runs are submitted in batches, with one thread for each run of a batch.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
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
    Raises: HomeError, RunError. The runs that `queued` was called with keep their places.
    """
    configs, queue, submitted = list(configs), RunQueue.of_home(), list[RunDir]()
    notes = encoded(Notes(tags=list(tags)))
    create = partial(create_run, command=command, slots=slots, code=code_version(), notes=notes, code_of=code_of)
    begun, devices = time.time(), _devices_of(configs)
    with suppress(UserError):  # the same error follows below, where the rows are written
        History().begin()
    with ThreadPoolExecutor(BATCH) as pool:
        for first in range(0, len(configs), BATCH):
            numbered = enumerate(configs[first : first + BATCH], first)
            runs = _create(pool, [partial(create, config, submitted=begun + ORDER * n) for n, config in numbered])
            for rundir in _queue(pool, runs, queue, devices):
                submitted.append(rundir)
                queued(rundir)
    try:
        History().record_all(submitted)
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


def _create(pool: ThreadPoolExecutor, creations: Iterable[Callable[[], RunDir]]) -> list[RunDir]:
    """Create the runs of a batch, or none of them. Raises: HomeError."""
    futures = [pool.submit(creation) for creation in creations]
    try:
        return [future.result() for future in futures]
    except BaseException:  # also an interrupt
        wait(futures)
        for future in futures:
            if future.exception() is None:
                shutil.rmtree(future.result().path, ignore_errors=True)
        raise


def _queue(
    pool: ThreadPoolExecutor,
    runs: Sequence[RunDir],
    queue: RunQueue,
    devices: Callable[[str], tuple[str, ...]],
) -> Iterator[RunDir]:
    """Give runs their places in the queue, and start those whose turn has come. Yields the runs that have places.

    Raises: HomeError, RunError, for the first run that has none, after the others were yielded.
    """
    with in_one_line(runs[0]), queue.locked():
        futures = {rundir: pool.submit(place_in_queue, rundir, queue, devices) for rundir in runs}
        wait(futures.values())
    if not keeper_alive(queue):
        serve(queue)
    yield from (rundir for rundir, future in futures.items() if future.exception() is None)
    for future in futures.values():
        future.result()
