"""The settings of a run, and which of them differ from the preset."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.config.keys import flatten
from engine.config.methods import methods, methods_with
from engine.config.norms import LINF, Norm
from engine.config.presets import preset_settings
from engine.config.settings import settings
from engine.config.units import with_unit
from fastadv_tui.history.row import Row
from fastadv_tui.runs.foreign import FOREIGN

if TYPE_CHECKING:
    from engine.config.run import RunConfig

# Not part of Row.settings: data_dir depends on the machine, and the others have their own columns.
EXCLUDED_SETTINGS = ("dataset", "preset", "name", "data_dir", "seed")
WITHOUT_EFFECT = ("log.tensorboard",)  # on the training: runs that differ in these are alike


def changed_settings(config: "RunConfig") -> dict[str, Any]:
    """The settings that differ from the preset, by dotted key."""
    unchanged = _unchanged_settings(config.preset, config.method.name, config.norm)
    own = {key: as_stored(value) for key, value in flatten(config).items() if key not in EXCLUDED_SETTINGS}
    return {key: value for key, value in own.items() if value != unchanged.get(key, value)}


def as_stored(value: Any) -> Any:
    """The value as the history file gives it back: JSON has lists in place of tuples."""
    return list(value) if isinstance(value, tuple) else value


def setting_of(row: Row, key: str) -> Any:
    """One setting of a run by its dotted key: the run's own value, else the preset's value, else the default.

    None if there is no such value, for example because the preset no longer exists. The settings that a foreign run
    does not tell are unknown: our defaults are not those of another program.
    """
    if key in ("dataset", "preset", "seed", "norm"):
        return getattr(row, key)
    if key in row.settings:
        return as_stored(row.settings[key])
    if key == "method.name":
        return row.method
    if row.status == FOREIGN and key != "eps":
        return None
    return row.eps if key == "eps" else _unchanged_settings(row.preset, row.method, row.norm).get(key)


def setting_text(key: str, value: Any, norm: Norm) -> str:
    """A setting of a run for a table cell. norm: of the run's threat model."""
    if key in settings() and settings()[key].is_size:
        return "follows eps" if value is None else with_unit(value, norm)
    return "-" if value is None else str(value)


def settings_of(row: Row) -> dict[str, Any]:
    """All settings of a run by dotted key. Settings of the row that this version does not know are included."""
    return {key: setting_of(row, key) for key in {**settings(), **row.settings}}


@cache
def _unchanged_settings(preset: str, method: str, norm: Norm) -> dict[str, Any]:
    """The settings of a run that changes nothing. A required setting is left out if the preset does not have it.

    A run of another norm than linf always types its eps.
    """
    defaults = {key: setting.default for key, setting in settings().items() if not setting.required}
    spec = methods().get(method)  # None if the plugin of the method is no longer installed
    own = spec.defaults if spec else {}
    options = {key: own.get(key.partition(".")[2]) for key, setting in settings().items() if setting.methods}
    preset_own = preset_settings(preset, method, norm) | ({} if norm == LINF else {"eps": None})
    return {key: as_stored(value) for key, value in {**defaults, **options, **preset_own}.items()}


def differing_settings(rows: Sequence[Row]) -> list[tuple[str, list[Any]]]:
    """The settings in which the runs differ: the key, and the value of each run."""
    everything = [settings_of(row) for row in rows]
    keys = [key for key in everything[0] if key not in ("name", "data_dir", "device", *WITHOUT_EFFECT)] if rows else []
    table = [(key, [settings.get(key) for settings in everything]) for key in keys]
    return [(key, values) for key, values in table if _differ_as_far_as_known(key, values, rows)]


def _differ_as_far_as_known(key: str, values: Sequence[Any], rows: Sequence[Row]) -> bool:
    """As `_differ`, of the runs whose value is known: a foreign run tells few settings."""
    known = [(value, row) for value, row in zip(values, rows, strict=True)
             if row.status != FOREIGN or value not in (None, "")]  # fmt: skip
    return len(known) > 1 and _differ(key, [value for value, _ in known], [row for _, row in known])


def _differ(key: str, values: Sequence[Any], rows: Sequence[Row]) -> bool:
    """Whether the values of a setting differ, and not only because the methods of the runs differ.

    Most options belong to some methods only. Such an option differs if two runs whose methods have the option have
    different values, or if some method does not have the option and a run changed the option.
    """
    section, _, option = key.rpartition(".")
    if section == "method" and option not in ("name", "alpha"):
        having = methods_with(option)
        known = [value for value, row in zip(values, rows, strict=True) if row.method in having]
        if any(value != known[0] for value in known):
            return True
        return len(known) < len(rows) and any(key in row.settings for row in rows)
    return any(value != values[0] for value in values)
