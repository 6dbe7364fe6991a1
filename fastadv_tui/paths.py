"""Paths of a user's runs, data sets, history and evaluations."""

import os
from pathlib import Path

from fastadv_tui.errors import HomeError


def home() -> Path:
    """The home folder: `$FASTADV_HOME`, or the platform's folder for user data if the variable is not set."""
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
    """The folder with the progress and the results of `fastadv eval`."""
    return home() / "evaluations"


def slots_dir() -> Path:
    return home() / "slots"


def ensure_home() -> Path:
    """Create the home folder and its subfolders, accessible to this user only. Returns the home folder.

    Raises: HomeError, if a folder cannot be created or the home folder cannot be written.
    """
    base = home()
    try:
        for folder in (base, runs_dir(), data_dir(), slots_dir(), evaluations_dir()):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(
            f"cannot use the home folder {base} ({error.strerror}); set FASTADV_HOME to another folder"
        ) from None
    if not os.access(base, os.W_OK | os.X_OK):
        raise HomeError(f"the home folder {base} is not writable; set FASTADV_HOME to another folder")
    return base
