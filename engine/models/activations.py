"""Nonlinearities by name. Smooth nonlinearities have been found to help adversarial training (Xie et al., 2020)."""

from collections.abc import Callable

from torch import nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "silu": nn.SiLU,
    "gelu": nn.GELU,
}


def activation(name: str) -> nn.Module:
    """A new layer. name: a key of ACTIVATIONS."""
    return ACTIVATIONS[name]()
