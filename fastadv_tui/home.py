"""Where a user's runs, data and history live, and how a run is named on the command line."""

import os
from pathlib import Path

from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError


class HomeError(UserError):
    """The home folder cannot be used."""


class RunNotFoundError(UserError):
    """No run, or more than one, has the name that was given."""


def home() -> Path:
    """`$FASTADV_HOME`, else the platform's folder for a user's data."""
    given = os.environ.get("FASTADV_HOME")
    if given:
        return Path(given).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("fastadv", appauthor=False)


def runs_dir() -> Path:
    return home() / "runs"


def data_dir() -> Path:
    return home() / "data"


def history_path() -> Path:
    return home() / "history.json"


def evaluations_dir() -> Path:
    """Progress and results of `fastadv eval`."""
    return home() / "evaluations"


def slots_dir() -> Path:
    return home() / "slots"


def ensure_home() -> Path:
    """Make the home and its folders, for this user alone.

    Raises: HomeError, if they cannot be made or written.
    """
    base = home()
    try:
        for folder in (base, runs_dir(), data_dir(), slots_dir(), evaluations_dir()):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"cannot use the home folder {base} ({error.strerror}); set FASTADV_HOME to another") from None
    if not os.access(base, os.W_OK | os.X_OK):
        raise HomeError(f"the home folder {base} is not writable; set FASTADV_HOME to another")
    return base


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
