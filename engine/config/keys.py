"""Settings by dotted key (`model.width`): parse typed values, build a RunConfig from keys, and flatten a RunConfig."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from engine.config.datasets import full_name
from engine.config.errors import ConfigError
from engine.config.norms import LINF
from engine.config.settings import Kind, Setting, fields, settings
from engine.config.suggest import did_you_mean
from engine.config.typed import convert
from engine.config.units import parse_size

if TYPE_CHECKING:
    from engine.config.run import RunConfig

SHORT_KEYS = {  # for the settings that people type most often
    "method": "method.name",
    "alpha": "method.alpha",
    "model": "model.name",
    "width": "model.width",
    "lr": "optim.lr",
    "eval": "eval.attack",
}


def full_key(key: str) -> str:
    """The dotted key of a setting. key: the dotted key itself, or its short form.

    Raises: ConfigError, if no setting has this key.
    """
    known = settings()
    key = SHORT_KEYS.get(key, key)
    if key not in known:
        hint = did_you_mean(key, known, cutoff=0.5) or f"known keys: {', '.join(known)}"
        raise ConfigError(f"unknown setting {key!r}; {hint}")
    return key


def parse_value(key: str, text: str, norm: str = LINF) -> Any:
    """Read the text that a user typed for the setting `key`. norm: of the run, which gives sizes their unit.

    Raises: ConfigError, whose message names the key, the text and the allowed values.
    """
    setting = settings()[full_key(key)]
    key, kind = setting.key, fields()[setting.key].type
    try:
        if setting.optional and text in ("", "auto"):
            return None
        if setting.is_size:
            return parse_size(text, norm)
        if setting.kind is Kind.LIST:
            return convert([part for part in text.split(",") if part], kind, strict=False)
        return convert(full_name(text) if key == "dataset" else text, kind, strict=False)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None
    except msgspec.ValidationError as error:
        said = problem(setting, text)
        raise ConfigError(f"{key}: {said}" if said else f"{key} = {text!r}: {_plain_error(error)}") from None


def assemble(settings: Mapping[str, Any]) -> "RunConfig":
    """Build a RunConfig from dotted keys. Applies no preset: a setting without a value has its default.

    Raises: ConfigError, if a key is unknown or a value is not allowed.
    """
    from engine.config.run import RunConfig  # as in `settings.fields`

    nested: dict[str, Any] = {}
    for key, value in settings.items():
        section, _, leaf = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[leaf] = value
    try:
        return convert(nested, RunConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(_plain_error(error)) from None


def flatten(config: "RunConfig") -> dict[str, Any]:
    """The settings of a RunConfig by dotted key. The inverse of `assemble`."""
    flat: dict[str, Any] = {}
    for key in settings():
        value: Any = config
        for part in key.split("."):
            value = getattr(value, part)
        flat[key] = value
    return flat


def problem(setting: Setting, value: str) -> str:
    """What is wrong with a value that cannot be read as a number, or lies outside the bounds. Empty for other kinds."""
    match setting.kind:
        case Kind.INTEGER | Kind.NUMBER if not setting.is_size:
            number = int if setting.kind is Kind.INTEGER else float
            try:
                number(value)
            except ValueError:
                return f"{value!r} is not a {'whole ' if number is int else ''}number"
            return f"{value} is not allowed; write {setting.allowed}"
        case Kind.CHOICE | Kind.BOOLEAN:
            return f"{value!r} is unknown; use {setting.allowed}"
    return ""


def _plain_error(error: msgspec.ValidationError) -> str:
    """msgspec's message with the dotted key in front: `epochs: expected int >= 1`."""
    message, _, path = str(error).partition(" - at `$.")
    message = message[:1].lower() + message[1:]
    return f"{path.rstrip('`')}: {message}" if path else message
