"""Submitting several runs at once, such as the runs of a sweep."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache

from engine.config.run import RunConfig
from engine.protocol.provenance import code_version
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import Notes, write_notes
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.submit import put_in_queue, serve
from fastadv_tui.supervise.keeper import keeper_alive
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.slots import devices_for


def submit_group(
    configs: Iterable[RunConfig],
    command: Sequence[str],
    tags: Sequence[str],
    slots: int = 1,
    queued: Callable[[RunDir], None] = lambda rundir: None,
) -> list[str]:
    """Submit runs in their order, each with these tags. queued: called with each run that has its place in the queue.

    Returns: warnings about tags and rows of the history that could not be written; the runs were submitted all the
    same. Raises: HomeError, RunError. The runs that `queued` was called with keep their places.
    """
    queue, code, submitted = RunQueue.of_home(), code_version(), list[RunDir]()
    devices = cache(devices_for)  # to open NVML for each run would take longer than all the rest
    warnings = []
    with suppress(UserError):  # the same error follows below, where the rows are written
        History().begin()
    for config in configs:
        rundir = create_run(config, command, slots, code)
        try:
            write_notes(rundir, Notes(tags=list(tags)))
        except OSError as error:
            warnings = [f"not every tag was written ({error}); `fastadv tag RUN {' '.join(tags)}` adds them"]
        put_in_queue(rundir, queue, devices)
        if not keeper_alive(queue):
            serve(queue)
        submitted.append(rundir)
        queued(rundir)
    try:
        History().record_all(submitted)
    except UserError as error:
        warnings.append(f"all runs were submitted, but {error}; `fastadv reindex` writes their rows")
    return warnings
