"""Counts the floating-point operations of a network (convolutions, matrix products) and of Muon's weight update."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.sections import ModelConfig
from engine.models.build import build_network, has_unknown_layers
from engine.plan.cost import Passes

MUON_ITERATIONS = 5  # Newton-Schulz iterations in each update


def muon_flops(filters: Iterable[Tensor]) -> int:
    """Floating-point operations of orthogonalising each of `filters` once."""
    shapes = ((len(f), f.numel() // len(f)) for f in filters)
    sides = ((min(shape), max(shape)) for shape in shapes)
    return sum(MUON_ITERATIONS * (4 * short * short * long + 2 * short**3) for short, long in sides)


def muon_filters(model: nn.Module) -> list[nn.Parameter]:
    """The convolution weights whose updates Muon orthogonalises. The last, linear layer is not among them."""
    return [p for p in model.parameters() if p.ndim == 4]


def count_passes(config: ModelConfig, facts: DatasetFacts, crop: int = 0, folder: Path | None = None) -> Passes:
    """The floating-point operations of a network for one image of a data set.

    crop: side of the image in pixels; 0 for the image size of the data set. folder: as for `build_network`.

    Raises: ConfigError, if the network does not take images of that size, or no network has that name.

    In each layer, the gradient of the input costs as much as the forward pass, and so does the gradient of the weights.
    A layer needs the gradient of its input only if the input depends on parameters, or if an attack needs the gradient
    of the image. The input of the first layer depends on no parameters.

    FlopCounterMode of torch finds the same numbers, but takes longer to load. It counts networks of unknown layers.
    """
    model = build_network(config, facts, folder)
    side = crop or facts.height
    image = torch.zeros(1, facts.channels, side, crop or facts.width)
    try:
        if has_unknown_layers(config):
            from engine.models.measured_flops import measure  # slow to load

            passes = measure(model, image)
        else:
            all_layers, beyond_first = _forward(model, image)
            passes = all_layers, all_layers, all_layers + beyond_first, 2 * all_layers
    except (RuntimeError, ValueError, AssertionError) as error:  # networks raise different exceptions for this
        why = (
            f" ({str(error).strip().partition(chr(10))[0]}); set model.args, or" if has_unknown_layers(config) else ";"
        )
        raise ConfigError(f"{config.name} does not take images of {side} pixels{why} use another crop") from None
    return Passes(*passes, muon=muon_flops(muon_filters(model)))


def count_crops(config: RunConfig, facts: DatasetFacts, folder: Path | None = None) -> dict[int, Passes]:
    """The result of `count_passes` for each crop, in pixels, that the phases of a run use."""
    crops = {phase.crop for phase in config.phase_list}
    return {crop: count_passes(config.model, facts, crop, folder) for crop in crops}


def _forward(model: nn.Module, x: Tensor) -> tuple[int, int]:
    """Operations of one image's forward pass: of all layers, and of those layers whose input depends on parameters."""
    costs: list[tuple[int, bool]] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], out: Any) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        products = layer.weight.numel() // len(layer.weight)  # multiplications for one output value
        costs.append((2 * out.numel() * products, inputs[0].requires_grad))

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    model.eval()(x)
    return sum(cost for cost, _ in costs), sum(cost for cost, depends in costs if depends)
