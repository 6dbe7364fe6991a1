"""How a run is named on the command line."""

import os
from pathlib import Path

from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.paths import runs_dir


class RunNotFoundError(UserError):
    """No run, or more than one, has the name that was given."""


def all_runs() -> list[RunDir]:
    """Every run directory, in no order; hidden ones are runs in the making."""
    try:
        with os.scandir(runs_dir()) as entries:
            folders = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
            return [RunDir(folder) for folder in folders if not folder.name.startswith(".")]
    except FileNotFoundError:
        return []


def find_run(name: str) -> RunDir:
    """The run whose id begins with `name`, or the one submitted last for `last`.

    Raises: RunNotFoundError, if there is none or more than one.
    """
    runs = all_runs()
    if name == "last":
        if not runs:
            raise RunNotFoundError("there are no runs yet; start one with `fastadv run digits`")
        return max(runs, key=_submitted)
    found = [run for run in runs if run.id == name] or [run for run in runs if name and run.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise RunNotFoundError(f"no run begins with {name!r}; `fastadv runs` lists them")
    ids = ", ".join(sorted(run.id for run in found)[:10])
    raise RunNotFoundError(f"{len(found)} runs begin with {name!r}: {ids}; type more of the id")


def _submitted(run: RunDir) -> float:
    try:
        return run.config.stat().st_mtime
    except OSError:
        return 0.0
