"""Gives an attack the gradients of a model, and decides which images the model misclassifies."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from engine.models.fold_batchnorm import folded


class Probe:
    """A model under attack. Gradients may be in low precision; which images are misclassified is decided in fp32.

    dtype: precision of the gradients under autocast, or None for fp32. The model must be in eval mode and frozen, and
    must not change while a Probe is in use. `gradients` counts the images that went through a forward and a backward
    pass. `tick` is called after each such pass, and an exception of `tick` ends the attack.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype | None = None) -> None:
        self.model, self.dtype = model, dtype
        self._searched = model if dtype is None else folded(model, dtype)
        self.gradients = 0
        self.tick: Callable[[], None] = lambda: None

    def fooled(self, x: Tensor, y: Tensor) -> Tensor:
        """Which images are misclassified: bool, (B,). x: images in [0,1], (B, C, H, W); y: labels, (B,)."""
        with torch.no_grad():
            wrong: Tensor = self.model(x).argmax(1) != y
        return wrong

    def fooled_and_gradient(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Which images are misclassified, and the gradient of the loss with respect to the images.

        The gradient of each image is scaled by a positive factor, so that only the signs have a meaning.
        """
        self.gradients += len(y)
        with torch.autocast(x.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            logits = self._searched(x.requires_grad_())
        gradient = torch.autograd.grad(logits, x, _logit_gradient(logits.detach().float(), y).to(logits.dtype))[0]
        fooled = logits.detach().argmax(1) != y
        if self.dtype is not None:
            gradient.nan_to_num_()  # an overflowed value has no sign, and must not become a perturbation
            if bool(fooled.any()):  # low precision may misclassify by rounding alone
                fooled[fooled.clone()] = self.fooled(x.detach()[fooled], y[fooled])
        self.tick()
        return fooled, gradient


def _logit_gradient(logits: Tensor, y: Tensor) -> Tensor:
    """The gradient of the cross-entropy with respect to the logits, (B, classes), each row scaled to a maximum near 1.

    Sign steps use signs alone. Without the scaling, the gradients of confident examples would underflow to zero in the
    backward pass through a network in low precision. The factors are powers of two, so that fp32 loses no digit.
    """
    gradient = torch.softmax(logits, 1)
    gradient[torch.arange(len(y), device=y.device), y] -= 1
    exponent = torch.frexp(gradient.abs().amax(1, keepdim=True))[1]
    return torch.ldexp(gradient, -exponent.clamp(min=-120))
