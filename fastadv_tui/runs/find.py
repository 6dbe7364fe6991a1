"""The run folders of the home, and the runs among them that the beginning of an id, or `last`, means."""

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


class RunFolders:
    """The run folders that existed when this object was made. They are listed once: a home may have thousands."""

    def __init__(self) -> None:
        self._folder, self.ids = runs_dir(), frozenset(run_ids())

    def beginning_with(self, text: str) -> list[str]:
        """The ids that begin with a text; none for an empty text."""
        return [run_id for run_id in self.ids if text and run_id.startswith(text)]

    @cached_property
    def last(self) -> str:
        """The id of the run that was submitted last. Raises: RunNotFoundError, if there is no run."""
        if not self.ids:
            raise RunNotFoundError("there are no runs yet; start one with `fastadv run digits`")
        return max(self.ids, key=lambda run_id: _submitted(RunDir(self._folder / run_id)))


def _submitted(run: RunDir) -> float:
    try:
        return run.config.stat().st_mtime
    except OSError:
        return 0.0
