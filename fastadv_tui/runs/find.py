"""Finding a run by the name that a user types: the beginning of its id, or `last`."""

import os
from functools import cached_property

from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.paths import runs_dir


class RunNotFoundError(UserError):
    """No run has the typed name, or more than one run has it."""


def run_ids() -> list[str]:
    """The names of all run directories, in no order. Names are cheaper than a RunDir for each of thousands of runs.

    A folder with an unprintable name is not a run, and JSON could not hold the name. A hidden folder is a run that is
    being created.
    """
    try:
        with os.scandir(runs_dir()) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            return [name for name in folders if name.isprintable() and not name.startswith(".")]
    except FileNotFoundError:
        return []


def find_run(name: str) -> RunDir:
    """The run whose id begins with `name`; for `last`, the run that was submitted last.

    Raises: RunNotFoundError, if there is no such run or more than one.
    """
    return RunFinder().find(name)


class RunFinder:
    """Finds many runs. The folder of runs is listed once, because a home may have thousands of runs."""

    def __init__(self) -> None:
        self._folder, self._ids = runs_dir(), frozenset(run_ids())

    def find(self, name: str) -> RunDir:
        """As `find_run`, among the runs that existed when this object was made. Raises: RunNotFoundError."""
        if name == "last":
            return self._last
        found = [name] if name in self._ids else [run_id for run_id in self._ids if name and run_id.startswith(name)]
        if len(found) == 1:
            return RunDir(self._folder / found[0])
        if not found:
            raise RunNotFoundError(f"no run id begins with {name!r}; `fastadv runs` lists all runs")
        some = ", ".join(sorted(found)[:10])
        raise RunNotFoundError(f"{len(found)} run ids begin with {name!r}: {some}; type more of the id")

    @cached_property
    def _last(self) -> RunDir:
        if not self._ids:
            raise RunNotFoundError("there are no runs yet; start one with `fastadv run digits`")
        return max((RunDir(self._folder / run_id) for run_id in self._ids), key=_submitted)


def _submitted(run: RunDir) -> float:
    try:
        return run.config.stat().st_mtime
    except OSError:
        return 0.0
