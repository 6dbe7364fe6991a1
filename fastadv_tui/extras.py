"""Optional packages: each is loaded where it is needed first, and one line names what to install if it is missing."""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fastadv_tui.errors import UserError

# The extra of fastadv that installs a module. A test holds these names against pyproject.toml.
EXTRA_OF = {
    "pandas": "pandas",
    "polars": "polars",
    "pyarrow": "parquet",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "trackio": "trackio",
}


class MissingExtraError(UserError):
    """An optional package is not installed, or cannot be imported. The message says what to type."""


def load_extra(module: str, purpose: str) -> Any:
    """The module, imported now. purpose: what needs it, to begin the message with: `to_pandas`.

    Raises: MissingExtraError.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == package
        why = "" if missing else f" ({error})"
        install = f"pip install 'fastadv[{EXTRA_OF[package]}]'"
        raise MissingExtraError(f"{purpose} needs {package}: {install}{why}") from None


def check_extra(module: str, purpose: str) -> None:
    """Raises: MissingExtraError, if the module is not installed. Does not load it."""
    if module not in sys.modules and find_spec(module) is None:
        raise MissingExtraError(f"{purpose} needs {module}: pip install 'fastadv[{EXTRA_OF[module]}]'")
