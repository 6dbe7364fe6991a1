"""Settings by dotted keys (`model.width`): read, described, put together and taken apart."""

from collections.abc import Mapping
from functools import cache
from typing import Any, get_args

import msgspec
from msgspec import structs

from engine.config.datasets import full_name
from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.section import Section, fields_of
from engine.config.units import parse_size

SHORT_KEYS = {  # what people type for the settings that they type most
    "method": "method.name",
    "alpha": "method.alpha",
    "model": "model.name",
    "width": "model.width",
    "lr": "optim.lr",
    "eval": "eval.attack",
}


def choices(key: str) -> tuple[str, ...]:
    """The values that a field of fixed choices admits."""
    return get_args(_plain(fields()[key].type))


@cache
def fields() -> Mapping[str, structs.FieldInfo]:
    """Every leaf field of RunConfig by its dotted key, in the order in which they are declared."""
    found: dict[str, structs.FieldInfo] = {}
    for field in fields_of(RunConfig):
        if _is_section(field.type):
            found |= {f"{field.name}.{leaf.name}": leaf for leaf in fields_of(field.type)}
        else:
            found[field.name] = field
    return found


def description(key: str) -> str:
    """What a field means, for help texts and forms."""
    return next((str(m.description) for m in getattr(fields()[key].type, "__metadata__", ()) if m.description), "")


def full_key(key: str) -> str:
    """The dotted key of a setting that may have been typed short.

    Raises: ConfigError, if there is no such setting.
    """
    known = fields()
    key = SHORT_KEYS.get(key, key)
    if key not in known:
        from difflib import get_close_matches  # only for who mistyped

        near = get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        raise ConfigError(f"unknown setting {key!r}; {hint}")
    return key


def parse_value(key: str, text: str) -> Any:
    """Read the text that a user typed for the field `key`.

    Raises: ConfigError, naming the key, the text and what is allowed.
    """
    key = full_key(key)
    kind = fields()[key].type
    try:
        if _is_size(kind):
            return None if text in ("", "auto") and _is_optional(kind) else parse_size(text)
        if "tuple" in str(kind):
            return msgspec.convert([part for part in text.split(",") if part], kind, strict=False)
        return msgspec.convert(full_name(text) if key == "dataset" else text, kind, strict=False)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{key} = {text!r}: {_allowed(key, error)}") from None


def assemble(settings: Mapping[str, Any]) -> RunConfig:
    """Build a RunConfig from dotted keys.

    Raises: ConfigError, if a key is unknown or a value is not allowed.
    """
    nested: dict[str, Any] = {}
    for key, value in settings.items():
        section, _, leaf = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[leaf] = value
    try:
        return msgspec.convert(nested, RunConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(_plain_error(error)) from None


def flatten(config: RunConfig) -> dict[str, Any]:
    """The settings of a RunConfig by dotted key; the inverse of `assemble`."""
    flat: dict[str, Any] = {}
    for key in fields():
        value: Any = config
        for part in key.split("."):
            value = getattr(value, part)
        flat[key] = value
    return flat


def _allowed(key: str, error: msgspec.ValidationError) -> str:
    kind = _plain(fields()[key].type)
    return f"use {', '.join(map(str, get_args(kind)))}" if "Literal" in str(kind) else _plain_error(error)


def _plain_error(error: msgspec.ValidationError) -> str:
    """msgspec's message with our dotted path in front: `epochs: expected int >= 1`."""
    message, _, path = str(error).partition(" - at `$.")
    message = message[:1].lower() + message[1:]
    return f"{path.rstrip('`')}: {message}" if path else message


def _plain(kind: Any) -> Any:
    return getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _is_optional(kind: Any) -> bool:
    return type(None) in get_args(_plain(kind))


def _is_size(kind: Any) -> bool:
    return "1/255" in str(kind)
