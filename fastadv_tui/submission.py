"""From what a user typed to a validated RunConfig: the same for the command line and for forms."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.config import ConfigError, RunConfig, both_units, parse_value
from engine.presets import build
from fastadv_tui.home import data_dir


def configure(dataset: str, typed: Mapping[str, str | None], preset: str | None = None) -> RunConfig:
    """The configuration for a data set and the texts that a user typed, by dotted key (None: not typed).

    Raises: ConfigError, naming the setting, its value and what is allowed; HomeError, if the home is unusable.
    """
    settings = {key: parse_value(key, text) for key, text in typed.items() if text is not None}
    settings["data_dir"] = _data_dir(settings.get("data_dir") or "")
    return build(dataset, settings, preset)


def parse_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """The `key=value` words of `--set`.

    Raises: ConfigError, if a word has no `=` or a key comes twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair!r}: write it as key=value, for one --set model.width=16")
        merge(found, {key.strip(): value.strip()})
    return found


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
    if config.method.name != "standard":
        parts.append(f"alpha {both_units(config.alpha)}")
    if config.eval.attack != "none":
        parts.append(f"evaluation step {both_units(config.eval_step)}")
    return " · ".join(parts)


def _data_dir(typed: str) -> str:
    """An absolute folder, as the engine works elsewhere; the default one is made, one that was typed must exist."""
    return str(Path(typed).expanduser().absolute()) if typed else str(data_dir())
