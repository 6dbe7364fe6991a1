"""Settings as a TOML file, and back. Both sides are texts by dotted key, as the form has them.

A list is several values, one run for each; only `optim.milestones` and `tags` are lists of their own.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from engine.config.errors import ConfigError
from engine.config.keys import full_key
from engine.config.norms import L2
from engine.config.plain_file import not_plain
from engine.config.settings import Kind, settings
from fastadv_tui.launch.axes import values_of
from fastadv_tui.launch.form_fields import TAGS
from fastadv_tui.text.sanitize import one_line

SIZES_LINF = "perturbation sizes are in units of 1/255; a number below 1 is a fraction"
SIZES_L2 = "perturbation sizes are plain numbers for images in [0,1]"
MAX_BYTES = 1_000_000  # a larger file is something else than settings
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?", re.IGNORECASE)


def toml_text(texts: Mapping[str, str]) -> str:
    """A TOML document for the texts by dotted key, with a table for each section. The inverse of `read_toml`."""
    document = tomlkit.document()
    if any(key in settings() and settings()[key].is_size for key in texts):
        document.add(tomlkit.comment(SIZES_L2 if texts.get("norm") == L2 else SIZES_LINF))
    for key in sorted(texts, key=lambda key: "." in key):  # the keys of the document itself come before its tables
        section, _, leaf = key.rpartition(".")
        if section and section not in document:
            document.add(section, tomlkit.table())
        table: Any = document[section] if section else document
        table.add(leaf, _as_toml(key, texts[key]))
    return tomlkit.dumps(document)


def read_toml(path: Path) -> dict[str, str]:
    """The texts of a TOML file by dotted key. The values are not checked. Short keys, such as `lr`, are allowed.

    Raises: ConfigError, if the file cannot be read, is no TOML, or has a key that is no setting.
    """
    shown = one_line(str(path))
    try:
        if problem := not_plain(path):
            raise ConfigError(f"{shown}: {problem}")
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{shown} is larger than {MAX_BYTES:,} bytes: choose a TOML file with settings")
        content = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"cannot read {shown}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{shown} is not TOML: {one_line(str(error))}") from None
    try:
        return _each_once(_leaves(content, ""))
    except ConfigError as error:
        raise ConfigError(f"{shown}: {error}") from None


def _each_once(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, text in pairs:
        if key in found:
            raise ConfigError(f"{key} is set twice")
        found[key] = text
    return found


def _as_toml(key: str, text: str) -> Any:
    if key == TAGS:
        return text.split()
    values = values_of(key, text)
    if key in settings() and settings()[key].kind is Kind.LIST:
        return [_scalar(key, value) for value in text.split(",") if value.strip()]
    return [_scalar(key, value) for value in values] if len(values) > 1 else _scalar(key, text)


def _scalar(key: str, text: str) -> Any:
    kind, text = settings()[key].kind, text.strip()
    if kind is Kind.BOOLEAN and text in ("true", "false"):
        return text == "true"
    if kind in (Kind.INTEGER, Kind.NUMBER, Kind.LIST) and _NUMBER.fullmatch(text):
        return float(text) if re.search("[.e]", text.lower()) else int(text)
    return text


def _leaves(table: Mapping[str, Any], section: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        key = f"{section}{name}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{key}.")
        elif key == TAGS:
            yield key, " ".join(_as_words(key, value))
        else:
            yield full_key(key), ",".join(_as_words(key, value))


def _as_words(key: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [word for part in value for word in _as_words(key, part)]
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, int | float | str):
        return [str(value)]
    raise ConfigError(f"{one_line(key)} = {one_line(str(value))}: write a text, a number, true, false or a list")
