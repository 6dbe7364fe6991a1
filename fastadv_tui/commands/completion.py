"""What a shell may offer at a press of tab: the values of arguments and options. Nothing here writes or asks torch."""


def datasets() -> list[str]:
    from engine.config.datasets import DATASET_ALIASES, DATASETS, FOLDER

    return [*DATASET_ALIASES, *DATASETS, FOLDER]


def methods() -> list[str]:
    from engine.config.keys import choices

    return [*choices("method.name")]


def presets() -> list[str]:
    from engine.config.presets import PRESETS

    return [*PRESETS]


def networks() -> list[str]:
    from engine.config.networks import NETWORKS

    return [*NETWORKS]


def settings(incomplete: str) -> list[str]:
    """`KEY=` for `--set` and `--grid`; behind the `=` the values of a setting that has fixed choices."""
    from engine.config.keys import SHORT_KEYS, choices, fields

    key, equals, _ = incomplete.partition("=")
    if not equals:
        return [f"{known}=" for known in (*SHORT_KEYS, *fields())]
    full = SHORT_KEYS.get(key, key)
    return [f"{key}={value}" for value in choices(full)] if full in fields() else []


def runs() -> list[str]:
    from fastadv_tui.runs.find import all_runs

    try:
        return ["last", *sorted(run.id for run in all_runs())]
    except OSError:  # a home that cannot be read: whoever starts the command is told
        return ["last"]
