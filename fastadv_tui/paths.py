"""Paths of a user's runs, data sets, history and evaluations."""

import os
from pathlib import Path

from fastadv_tui.errors import HomeError, UserError

HOME = "FASTADV_HOME"


def home() -> Path:
    """The home folder: `$FASTADV_HOME`, or the platform's folder for user data if the variable is not set.

    Raises: HomeError, if JSON could not hold the path; UserError, as `typed_path`.
    """
    given = os.environ.get(HOME)
    base = typed_path(given) if given else _platform_folder()
    try:
        str(base).encode()
    except UnicodeEncodeError:  # JSON cannot hold such a path
        raise HomeError(f"the home folder {base.as_posix()!r} is not UTF-8; set FASTADV_HOME to another one") from None
    return base


def engine_environment() -> dict[str, str]:
    """The environment of an engine process, which keeps listings of image folders in the home. Raises: as `home`.

    An empty part of PYTHONPATH means the working folder. It is left out: most often a shell script left it by accident,
    and no module of the user's folder may take the place of another.
    """
    found = {**os.environ, HOME: str(home())}
    if "PYTHONPATH" in found:
        found["PYTHONPATH"] = os.pathsep.join(filter(None, found["PYTHONPATH"].split(os.pathsep)))
    return found


def typed_path(typed: str) -> Path:
    """The absolute path that a user means, with the folders of `~` and `~user`. Raises: UserError, for no such user."""
    try:
        return Path(typed).expanduser().absolute()
    except RuntimeError:
        raise UserError(f"{typed} names a user who does not exist; type another path") from None


def _platform_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("fastadv", appauthor=False)


NOTIFY_FILE = "notify.toml"  # in the home folder: the settings of notifications


def notify_path() -> Path:
    return home() / NOTIFY_FILE


def runs_dir() -> Path:
    return home() / "runs"


def data_dir() -> Path:
    return home() / "data"


def history_path() -> Path:
    return home() / "history.json"


def evaluations_dir() -> Path:
    """The folder with the progress and the results of `fastadv eval`."""
    return home() / "evaluations"


def evaluation_jobs_dir() -> Path:
    """The folder with the evaluations that wait in the queue, are under way, or have ended last."""
    return home() / "evaluation-jobs"


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
