"""Submits runs, and says in a line which runs they are and when they start."""

from collections.abc import Sequence

from msgspec import Struct

from engine.config.run import RunConfig
from engine.protocol.rundir import RunDir
from fastadv_tui.launch.group import submit_group
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.text.quantities import ordinal
from fastadv_tui.text.sanitize import run_label


class StartedRuns(Struct, frozen=True):
    """What was submitted. first: id of the first run. text: the runs and their place in the queue, in one line.

    warnings: in one line each.
    """

    first: str
    text: str
    warnings: list[str]


def start_runs(configs: Sequence[RunConfig], command: Sequence[str], tags: Sequence[str]) -> StartedRuns:
    """Submit runs, which are not checked. configs: at least one. Raises: HomeError, RunError."""
    runs: list[RunDir] = []
    warnings = submit_group(configs, command, tags, queued=runs.append)
    return StartedRuns(runs[0].id, submitted_text([run.id for run in runs], configs[0].title, tags), warnings)


def submitted_text(run_ids: Sequence[str], name: str, tags: Sequence[str] = ()) -> str:
    """Which runs were submitted, and when the first of them starts. run_ids: at least one. name: of the first run."""
    queue = RunQueue.of_home()
    place, first = queue.place_of(run_ids[0]), run_label(name, run_ids[0])
    when = "starts now" if place is None else f"is {ordinal(place)} in the queue"
    if queue.paused and place is not None:
        when += ", which is paused; `fastadv queue continue` lets it start"
    if len(run_ids) == 1:
        return f"submitted: {first} {when}"
    tagged = f", tagged {' '.join(tags)}" if tags else ""
    return f"submitted {len(run_ids):,} runs{tagged}: the first, {first}, {when}"
