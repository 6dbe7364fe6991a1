"""Counts the floating-point operations of a network whose layers are unknown, while it computes."""

from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def measure(model: nn.Module, images: Tensor) -> tuple[int, int, int, int]:
    """The operations of a forward pass, and of the backward passes to the images, to the weights, and to both.

    Convolutions and matrix products are counted, whatever function computes them. The network is in eval mode then.
    """
    weights = [p for p in model.parameters() if p.requires_grad]
    model.eval()
    try:
        forward, to_both = _passes(model, images, weights, True, True)
        _, to_image = _passes(model, images, weights, True, False)
        _, to_weights = _passes(model, images, weights, False, True)
    finally:
        for weight in weights:
            weight.requires_grad_()
    return forward, to_image, to_weights, to_both


def _passes(
    model: nn.Module, images: Tensor, weights: list[nn.Parameter], to_images: bool, to_weights: bool
) -> tuple[int, int]:
    """Operations of a forward pass and of the backward pass after it."""
    for weight in weights:
        weight.requires_grad_(to_weights)
    with FlopCounterMode(display=False) as forward:
        out: Tensor = model(images.clone().requires_grad_(to_images)).sum()
    wanted = [weight for weight in weights if to_weights]
    if not out.requires_grad:
        return forward.get_total_flops(), 0
    with FlopCounterMode(display=False) as backward:
        out.backward()  # type: ignore[no-untyped-call]
    for weight in wanted:
        weight.grad = None
    return forward.get_total_flops(), backward.get_total_flops()
