"""How a run is named on the command line."""

import os

from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.paths import runs_dir


class RunNotFoundError(UserError):
    """No run, or more than one, has the name that was given."""


def run_ids() -> list[str]:
    """The names of all run directories, in no order: cheaper than a RunDir for each of thousands.

    A name that cannot be printed is not one of ours, and JSON could not hold it. A hidden folder is a run that is
    being made.
    """
    try:
        with os.scandir(runs_dir()) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            return [name for name in folders if name.isprintable() and not name.startswith(".")]
    except FileNotFoundError:
        return []


def find_run(name: str) -> RunDir:
    """The run whose id begins with `name`, or the one submitted last for `last`.

    Raises: RunNotFoundError, if there is none or more than one.
    """
    folder, ids = runs_dir(), run_ids()
    if name == "last":
        if not ids:
            raise RunNotFoundError("there are no runs yet; start one with `fastadv run digits`")
        return max((RunDir(folder / run_id) for run_id in ids), key=_submitted)
    found = [name] if name in ids else [run_id for run_id in ids if name and run_id.startswith(name)]
    if len(found) == 1:
        return RunDir(folder / found[0])
    if not found:
        raise RunNotFoundError(f"no run begins with {name!r}; `fastadv runs` lists them")
    some = ", ".join(sorted(found)[:10])
    raise RunNotFoundError(f"{len(found)} runs begin with {name!r}: {some}; type more of the id")


def _submitted(run: RunDir) -> float:
    try:
        return run.config.stat().st_mtime
    except OSError:
        return 0.0
