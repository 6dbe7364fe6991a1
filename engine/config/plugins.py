"""Plugins: modules of other people that add methods and data sets. An environment variable names the modules."""

import os
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from engine.config.errors import ConfigError

VARIABLE = "FASTADV_PLUGINS"  # environment variable: names of modules, separated by commas


@cache
def plugins() -> tuple[ModuleType, ...]:
    """The modules that FASTADV_PLUGINS names.

    The user interface imports the plugins, too. A plugin must import torch and numpy inside its functions only.

    Raises: ConfigError, if a module cannot be imported.
    """
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    return tuple(_imported(name) for name in names if name)


def found_in(modules: tuple[ModuleType, ...], attribute: str) -> Iterator[Any]:
    """The values of one attribute in the modules. Modules without the attribute are skipped."""
    return (getattr(module, attribute) for module in modules if hasattr(module, attribute))


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:  # a plugin can raise any exception
        raise ConfigError(f"{VARIABLE}: {name} cannot be imported ({type(error).__name__}: {error})") from None
