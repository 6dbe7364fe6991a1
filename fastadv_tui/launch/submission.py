"""From what a user typed to a validated RunConfig: the same for the command line and for forms."""

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.config import phases
from engine.config.datasets import FOLDER
from engine.config.errors import ConfigError
from engine.config.keys import full_key, parse_value
from engine.config.presets import build
from engine.config.run import RunConfig
from engine.config.units import both_units
from fastadv_tui.paths import data_dir, ensure_home


def configure(dataset: str, typed: Mapping[str, str | None], preset: str | None = None) -> RunConfig:
    """The configuration for a data set and the texts that a user typed, by dotted key (None: not typed).

    Raises: ConfigError, naming the setting, its value and what is allowed; HomeError, if the home is unusable.
    """
    settings = {key: parse_value(key, text) for key, text in typed.items() if text is not None}
    keys = set(settings)
    settings["data_dir"] = _data_dir(settings.get("data_dir") or "")
    config = build(_absolute(dataset), settings, preset)
    _check_phases(config, keys)
    return config


def _check_phases(config: RunConfig, typed: set[str]) -> None:
    """Raises: ConfigError, if something was typed that every phase overrules: it would change nothing."""
    given = phases.parse(config.phases)
    overruled = {"batch_size"} if given and all(phase.batch_size for phase in given) else set()
    if given and given[0].lr is not None:
        overruled |= {f"optim.{name}" for name in ("lr", "schedule", "peak", "milestones", "gamma")}
    if dead := sorted(overruled & typed):
        raise ConfigError(f'{dead[0]}: each phase has its own; change --set phases="{config.phases}" instead')


def parse_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """The `key=value` words of `--set` and `--grid`.

    Raises: ConfigError, if a word has no `=` or a key comes twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{pair!r} has no `=`: write it as key=value, for one model.width=16")
        merge(found, {full_key(key.strip()): value.strip()})
    return found


def grid(axes: Mapping[str, str], seeds: str | None) -> list[dict[str, str]]:
    """The cross product of the axes (`eps` -> `2,4,8`) and the seeds (`0-2` or `0,3`): one dictionary for each run.

    Raises: ConfigError, if an axis has no values or the seeds are no numbers.
    """
    values = {key: [value.strip() for value in text.split(",") if value.strip()] for key, text in axes.items()}
    if seeds is not None:
        values["seed"] = [str(seed) for part in seeds.split(",") for seed in _range(part)]
    empty = [key for key, found in values.items() if not found]
    if empty:
        raise ConfigError(f"--grid {empty[0]}= has no values; write --grid {empty[0]}=A,B")
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


def _range(text: str) -> range:
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", text)
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise ConfigError(f"--seeds {text!r}: write 0-2 or 0,3,7")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def merge(typed: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add settings to those typed so far.

    Raises: ConfigError, if one of them has been typed already.
    """
    for key, value in more.items():
        if typed.get(key) is not None:
            raise ConfigError(f"{key} is set twice: to {typed[key]} and to {value}")
        typed[key] = value


def understood(config: RunConfig) -> str:
    """What was understood of the sizes, in both units, so that nobody has to guess."""
    parts = [f"eps {both_units(config.eps)}"]
    if config.method.spec.alpha:
        parts.append(f"alpha {both_units(config.alpha)}")
    if config.eval.attack != "none":
        parts.append(f"evaluation step {both_units(config.eval_step)}")
    return " · ".join(parts)


def _absolute(dataset: str) -> str:
    """The engine works in another folder: the path of an image folder must not depend on ours."""
    kind, colon, path = dataset.partition(":")
    return f"{kind}:{Path(path).expanduser().absolute()}" if f"{kind}{colon}" == FOLDER and path else dataset


def _data_dir(typed: str) -> str:
    """An absolute folder, as the engine works elsewhere; the default one is made, one that was typed must exist."""
    if typed:
        return str(Path(typed).expanduser().absolute())
    ensure_home()
    return str(data_dir())
