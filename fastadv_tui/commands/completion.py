"""Shell completion: the values of arguments and options. Completion writes no file and does not import torch."""


def datasets() -> list[str]:
    from engine.config.datasets import OWN_BY_PREFIX, datasets

    return [*(name for spec in datasets().values() for name in (*spec.aliases, spec.name)), *OWN_BY_PREFIX]


def methods() -> list[str]:
    from engine.config.methods import methods

    return [*methods()]


def presets() -> list[str]:
    from engine.config.presets import PRESETS

    return [*PRESETS]


def tables() -> list[str]:
    from fastadv_tui.history.paper_tables import TABLES

    return [*TABLES]


def networks() -> list[str]:
    from engine.config.networks import NETWORKS

    return [*NETWORKS]


def choices_of(key: str) -> str:
    """The fixed choices of a setting, as help texts show them: `[auto|on|off]`."""
    from engine.config.settings import settings

    return f"[{'|'.join(settings()[key].choices)}]"


def keys() -> list[str]:
    from engine.config.keys import SHORT_KEYS
    from engine.config.settings import settings

    return [*SHORT_KEYS, *settings()]


def columns(incomplete: str) -> list[str]:
    """Columns of the history that are separated by commas: the last of them is completed."""
    from fastadv_tui.history.columns import COLUMNS

    before, comma, _ = incomplete.rpartition(",")
    return [f"{before}{comma}{key}" for key in COLUMNS]


def settings(incomplete: str) -> list[str]:
    """`KEY=` for `--set` and `--grid`; after the `=`, the values of a setting with fixed choices."""
    from engine.config.keys import SHORT_KEYS
    from engine.config.settings import settings

    key, equals, _ = incomplete.partition("=")
    if not equals:
        return [f"{known}=" for known in keys()]
    setting = settings().get(SHORT_KEYS.get(key, key))
    return [f"{key}={value}" for value in setting.choices] if setting else []


LAST = ("last", "last-done", "last-failed", "last-running", "last-stopped")  # of the words that mean a last run


def runs() -> list[str]:
    """The words for a last run, then the ids, then the names that mean one run."""
    from fastadv_tui.history.run_names import unique_names
    from fastadv_tui.paths import history_path
    from fastadv_tui.runs.find import run_ids

    try:
        return [*LAST, *sorted(run_ids()), *unique_names(history_path())]
    except OSError:  # the home folder cannot be read; the command itself will say so
        return [*LAST]


def several_runs(incomplete: str) -> list[str]:
    """Runs that are separated by commas: the last of them is completed."""
    before, comma, _ = incomplete.rpartition(",")
    return [f"{before}{comma}{run}" for run in runs()]
