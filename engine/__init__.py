"""The training engine of fastadv: a process that trains and evaluates, and a library that loads trained models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.training.checkpoint import load_model as load_model

__all__ = ["load_model"]


def __getattr__(name: str) -> Any:
    """Import `load_model` on first use, because the import loads torch."""
    if name == "load_model":
        from engine.training.checkpoint import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
