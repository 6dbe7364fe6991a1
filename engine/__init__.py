"""The training engine of fastadv: a process of its own, and a library to load what it trained."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.training.checkpoint import load_model as load_model

__all__ = ["load_model"]


def __getattr__(name: str) -> Any:
    """`from engine import load_model`, which loads torch only for those who ask."""
    if name == "load_model":
        from engine.training.checkpoint import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
