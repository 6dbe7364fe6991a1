"""Which settings a run had, and which of them it changed."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from engine.config.keys import flatten
from engine.config.presets import preset_settings
from engine.config.run import RunConfig
from engine.config.sections import ModelConfig
from engine.config.settings import settings
from fastadv_tui.history.row import Row

UNCOUNTED = ("dataset", "preset", "name", "data_dir", "seed")  # have a column of their own, or mean nothing elsewhere


def changed_settings(config: RunConfig) -> dict[str, Any]:
    """The settings that differ from the preset, by dotted key."""
    usual = _usual(config.dataset, config.model.name, config.preset, config.method.name)
    changed = {k: v for k, v in flatten(config).items() if k not in UNCOUNTED and v != usual.get(k)}
    return {key: plain(value) for key, value in changed.items()}


def plain(value: Any) -> Any:
    """A setting as it comes back from the file: JSON has no tuples."""
    return list(value) if isinstance(value, tuple) else value


@cache
def _usual(dataset: Any, model: Any, preset: str, method: str) -> dict[str, Any]:
    """The settings of a run that changes nothing of its preset."""
    return {**flatten(RunConfig(dataset=dataset, model=ModelConfig(name=model))), **preset_settings(preset, method)}


def settings_of(row: Row) -> dict[str, Any]:
    """Every setting of a run by dotted key: its own, its preset's, the defaults."""
    defaults = {key: setting.default for key, setting in settings().items()}
    usual = {**defaults, **preset_settings(row.preset, row.method), "method.name": row.method, "eps": row.eps}
    own = {**row.settings, "dataset": row.dataset, "preset": row.preset, "seed": row.seed}
    return {key: plain(value) for key, value in {**usual, **own}.items()}


def differing(rows: Sequence[Row]) -> list[tuple[str, list[Any]]]:
    """The settings in which the runs differ: key and the value of each run."""
    everything = [settings_of(row) for row in rows]
    keys = [key for key in everything[0] if key not in ("name", "data_dir", "device")] if rows else []
    table = [(key, [settings.get(key) for settings in everything]) for key in keys]
    return [(key, values) for key, values in table if any(value != values[0] for value in values)]
