"""A run's settings as a TOML file: `fastadv show RUN --toml` writes it, `fastadv run --config FILE` reads it."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from engine.config.errors import ConfigError
from engine.config.keys import full_key
from engine.config.run import RunConfig
from engine.config.settings import Kind, settings
from fastadv_tui.launch.repeat import as_typed
from fastadv_tui.paths import typed_path

HEAD = "# `fastadv run --config FILE` repeats this run. A setting that is missing here has the value of the preset.\n"
PLAIN_KINDS = (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN)  # kinds whose texts are TOML values, too


def to_toml(config: RunConfig) -> str:
    """The data set, the preset and the settings that differ from it, as TOML with one dotted key on each line."""
    import tomlkit  # imported late: most commands never write TOML

    lines = []
    for key, text in as_typed(config).items():
        plain = settings()[key].kind in PLAIN_KINDS and not settings()[key].is_size
        lines.append(f"{key} = {text if plain and text else tomlkit.item(text).as_string()}\n")
    return HEAD + "".join(lines)


def read_config(typed: str) -> dict[str, str]:
    """The settings in a TOML file, as texts by dotted key. Keys may stand in tables, and may have their short forms.

    Raises: ConfigError, which names the file; UserError, as `typed_path`.
    """
    path = typed_path(typed)
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {path} ({error.strerror or error}); type the path of a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML file: {error}") from None
    found: dict[str, str] = {}
    try:
        for key, value in _leaves(content):
            if (full := full_key(key)) in found:
                raise ConfigError(f"{full} is set twice")
            found[full] = _text(key, value)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return found


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(key: str, value: Any) -> str:
    """A TOML value as a user would type it as an option. Raises: ConfigError, for a date and other foreign values."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | str):
        return str(value)
    if isinstance(value, list):
        return ",".join(_text(key, part) for part in value)
    raise ConfigError(f"{key} = {value}: write a number, a text, true, false or a list")
