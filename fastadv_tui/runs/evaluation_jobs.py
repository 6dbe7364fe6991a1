"""Evaluations in line: each has a folder of its own, waits in the queue as a run does, and ends as a run does.

The folder is no run. Its `request.json` says what to measure. The engine writes its progress as events beside it, and
the result into `evaluations.jsonl` of the run. Its status is derived as that of a run, so an evaluator that was killed
is seen as killed. An evaluation that is done goes when the history has its result. Any other that has ended is kept
until the next one of its run, because it tells why it failed.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.config.typed import decode
from engine.protocol.rundir import RunDir
from fastadv_tui.paths import evaluation_jobs_dir
from fastadv_tui.runs.observe import observe

if TYPE_CHECKING:
    from engine.protocol.requests import EvalRequest


def evaluation_ids() -> list[str]:
    """The names of the folders of all evaluations, in no order. A hidden folder is being created."""
    try:
        with os.scandir(evaluation_jobs_dir()) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".") and entry.name.isprintable()]
    except OSError:
        return []


def evaluations_of(run_id: str) -> Iterator[RunDir]:
    """The folders of the evaluations of a run."""
    for name in evaluation_ids():
        rundir = RunDir(evaluation_jobs_dir() / name)
        request = read_request(rundir)
        if request is not None and run_of(request) == run_id:
            yield rundir


def live_evaluations(run_id: str) -> list[RunDir]:
    """The folders of the evaluations of a run that wait or are under way."""
    return [rundir for rundir in evaluations_of(run_id) if observe(rundir).status.live]


def measured_runs() -> dict[str, list[RunDir]]:
    """By run id: the folders of evaluations that are done. Who has put the result into the history removes them."""
    found: dict[str, list[RunDir]] = {}
    for name in evaluation_ids():
        rundir = RunDir(evaluation_jobs_dir() / name)
        request = read_request(rundir)
        if request is not None and observe(rundir).status.status == "done":
            found.setdefault(run_of(request), []).append(rundir)
    return found


def remove(evaluations: Iterable[RunDir]) -> None:
    """Remove the folders of ended evaluations. What cannot be removed stays for the next time."""
    for rundir in evaluations:
        shutil.rmtree(rundir.path, ignore_errors=True)


def read_request(rundir: RunDir) -> "EvalRequest | None":
    """What an evaluation measures; None if its file is missing or damaged."""
    from engine.protocol.requests import EvalRequest  # loads all settings, which a list of runs does not need

    with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        return decode(rundir.request.read_bytes(), EvalRequest)
    return None


def run_of(request: "EvalRequest") -> str:
    """The id of the run that a request measures."""
    return Path(request.run).name


def remove_ended(run_id: str) -> None:
    """Remove the folders of the evaluations of a run that neither wait nor are under way."""
    remove(rundir for rundir in list(evaluations_of(run_id)) if not observe(rundir).status.live)
