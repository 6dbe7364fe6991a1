"""Counting what a network computes: its convolutions and matrix products."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.sections import ModelConfig
from engine.models.build import build_network
from engine.plan.cost import Passes

MUON_ITERATIONS = 5  # of Newton and Schulz, in each update


def muon_flops(filters: Iterable[Tensor]) -> int:
    """Floating-point operations of orthogonalising each of these once."""
    shapes = ((len(f), f.numel() // len(f)) for f in filters)
    sides = ((min(shape), max(shape)) for shape in shapes)
    return sum(MUON_ITERATIONS * (4 * short * short * long + 2 * short**3) for short, long in sides)


def muon_filters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are matrices between feature maps: of convolutions, not of the last, linear layer."""
    return [p for p in model.parameters() if p.ndim == 4]


def count_passes(config: ModelConfig, facts: DatasetFacts, crop: int = 0) -> Passes:
    """What one image of that data set costs the network. crop: its side in pixels, 0 for the data set's own.

    Raises: ConfigError, if the network does not take images of that size, or there is none of its name.

    Each backward pass to a layer's input, and each to its weights, costs what its forward pass does. The first
    layer's input needs none unless the image's gradient is wanted: seen from what the input depends on.

    torch's own FlopCounterMode finds the same, but loads a compiler first, which takes two seconds.
    """
    model = build_network(config, facts)
    side = crop or facts.height
    try:
        all_layers, beyond_first = _forward(model, torch.zeros(1, facts.channels, side, crop or facts.width))
    except (RuntimeError, ValueError, AssertionError):  # networks differ in how they say it
        raise ConfigError(f"{config.name} does not take images of {side} pixels; use another crop") from None
    return Passes(
        forward=all_layers,
        to_image=all_layers,
        to_weights=all_layers + beyond_first,
        to_both=2 * all_layers,
        muon=muon_flops(muon_filters(model)),
    )


def count_crops(config: RunConfig, facts: DatasetFacts) -> dict[int, Passes]:
    """`count_passes` by the crop of each phase of a run."""
    return {crop: count_passes(config.model, facts, crop) for crop in {phase.crop for phase in config.phase_list}}


def _forward(model: nn.Module, x: Tensor) -> tuple[int, int]:
    """Operations of a forward pass of one image, and of those layers whose input depends on parameters."""
    costs: list[tuple[int, bool]] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], out: Any) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        products = layer.weight.numel() // len(layer.weight)  # of each output
        costs.append((2 * out.numel() * products, inputs[0].requires_grad))

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    model.eval()(x)
    return sum(cost for cost, _ in costs), sum(cost for cost, depends in costs if depends)
