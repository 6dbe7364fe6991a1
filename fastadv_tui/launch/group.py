"""Submitting several runs at once, such as the runs of a sweep."""

from collections.abc import Iterable, Iterator, Sequence

from engine.config.run import RunConfig
from engine.protocol.provenance import code_version
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import HomeError
from fastadv_tui.history.notes import Notes, write_notes
from fastadv_tui.runs.create import create_run
from fastadv_tui.runs.submit import put_in_queue, serve
from fastadv_tui.supervise.keeper import keeper_alive
from fastadv_tui.supervise.queue import RunQueue


def submit_group(
    configs: Iterable[RunConfig], command: Sequence[str], tags: Sequence[str], slots: int = 1
) -> Iterator[RunDir]:
    """Submit runs in their order, each with these tags. Yields each run when it has its place in the queue.

    The caller writes the rows of the history, once for all runs: `History().sync()`.

    Raises: HomeError, RunError. The runs that were yielded before keep their places.
    """
    queue, code = RunQueue.of_home(), code_version()
    for config in configs:
        rundir = create_run(config, command, slots, code)
        try:
            write_notes(rundir, Notes(tags=list(tags)))
        except OSError as error:
            raise HomeError(f"cannot write {rundir.notes} ({error.strerror}); free space if the disk is full") from None
        put_in_queue(rundir, queue)
        if not keeper_alive(queue):
            serve(queue)
        yield rundir
