"""Modules that add methods and data sets of other people: named in an environment variable, imported once."""

import os
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from engine.config.errors import ConfigError

VARIABLE = "FASTADV_PLUGINS"  # names of modules, joined by commas


@cache
def plugins() -> tuple[ModuleType, ...]:
    """The modules that FASTADV_PLUGINS names.

    The face imports them, too: a plugin imports torch or numpy inside its functions only.

    Raises: ConfigError, if one of them cannot be imported.
    """
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    return tuple(_imported(name) for name in names if name)


def found_in(modules: tuple[ModuleType, ...], attribute: str) -> Iterator[Any]:
    """What these modules define under one name; those without it are passed over."""
    return (getattr(module, attribute) for module in modules if hasattr(module, attribute))


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:  # somebody else's code can raise anything
        raise ConfigError(f"{VARIABLE}: {name} cannot be imported ({type(error).__name__}: {error})") from None
