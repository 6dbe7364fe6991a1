"""Which settings a run had, and which of them it changed."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from engine.config.keys import flatten
from engine.config.methods import methods, methods_with
from engine.config.presets import preset_settings
from engine.config.run import RunConfig
from engine.config.settings import settings
from fastadv_tui.history.row import Row

UNCOUNTED = ("dataset", "preset", "name", "data_dir", "seed")  # have a column of their own, or mean nothing elsewhere
SIZE_SETTINGS = ("eps", "method.alpha", "eval.step_size")  # fractions in [0,1], typed and read in units of 1/255


def changed_settings(config: RunConfig) -> dict[str, Any]:
    """The settings that differ from the preset, by dotted key."""
    usual = _usual(config.preset, config.method.name)
    own = {key: plain(value) for key, value in flatten(config).items() if key not in UNCOUNTED}
    return {key: value for key, value in own.items() if value != usual.get(key, value)}


def plain(value: Any) -> Any:
    """A setting as it comes back from the file: JSON has no tuples."""
    return list(value) if isinstance(value, tuple) else value


def setting_of(row: Row, key: str) -> Any:
    """One setting of a run by its dotted key: its own, else its preset's, else the default.

    None if the setting has none of these, as that of a preset that is gone.
    """
    if key in ("dataset", "preset", "seed"):
        return getattr(row, key)
    if key in row.settings:
        return plain(row.settings[key])
    if key == "method.name":
        return row.method
    return row.eps if key == "eps" else _usual(row.preset, row.method).get(key)


def settings_of(row: Row) -> dict[str, Any]:
    """Every setting of a run by dotted key, also those of its own that this version does not know."""
    return {key: setting_of(row, key) for key in {**settings(), **row.settings}}


@cache
def _usual(preset: str, method: str) -> dict[str, Any]:
    """The settings of a run that changes nothing of its preset; of a required one only if the preset has it."""
    defaults = {key: setting.default for key, setting in settings().items() if not setting.required}
    spec = methods().get(method)  # None for one whose plugin is gone
    own = spec.defaults if spec else {}
    options = {key: own.get(key.partition(".")[2]) for key, setting in settings().items() if setting.methods}
    return {key: plain(value) for key, value in {**defaults, **options, **preset_settings(preset, method)}.items()}


def differing(rows: Sequence[Row]) -> list[tuple[str, list[Any]]]:
    """The settings in which the runs differ: key and the value of each run."""
    everything = [settings_of(row) for row in rows]
    keys = [key for key in everything[0] if key not in ("name", "data_dir", "device")] if rows else []
    table = [(key, [settings.get(key) for settings in everything]) for key in keys]
    return [(key, values) for key, values in table if _differ(key, values, rows)]


def _differ(key: str, values: Sequence[Any], rows: Sequence[Row]) -> bool:
    """Whether the values say more than that the methods differ: most options belong to some methods only."""
    section, _, option = key.rpartition(".")
    if section == "method" and option not in ("name", "alpha"):
        having = methods_with(option)
        known = [value for value, row in zip(values, rows, strict=True) if row.method in having]
        if any(value != known[0] for value in known):
            return True
        return len(known) < len(rows) and any(key in row.settings for row in rows)
    return any(value != values[0] for value in values)
