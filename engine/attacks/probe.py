"""A model under attack: gradients to search with, and verdicts."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from engine.models.fold_batchnorm import folded


class Probe:
    """A model under attack: gradients to search with, in low precision where that is faster, and verdicts in fp32.

    dtype: of the search under autocast, or None for fp32. The model must be in eval mode and frozen, and must not
    change meanwhile. `gradients` counts the images that went through a forward and a backward pass; `tick` is called
    after each such pass, and what it raises ends the attack.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype | None = None) -> None:
        self.model, self.dtype = model, dtype
        self._searched = model if dtype is None else folded(model, dtype)
        self.gradients = 0
        self.tick: Callable[[], None] = lambda: None

    def fooled(self, x: Tensor, y: Tensor) -> Tensor:
        """Which images of [0,1], (B, C, H, W), are misclassified: bool, (B,)."""
        with torch.no_grad():
            wrong: Tensor = self.model(x).argmax(1) != y
        return wrong

    def look(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Which images are misclassified, and a gradient of the loss with respect to them, of the right signs."""
        self.gradients += len(y)
        with torch.autocast(x.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            logits = self._searched(x.requires_grad_())
        gradient = torch.autograd.grad(logits, x, _direction(logits.detach().float(), y).to(logits.dtype))[0]
        fooled = logits.detach().argmax(1) != y
        if self.dtype is not None:
            gradient.nan_to_num_()  # what overflowed has no sign, and must not become a perturbation
            if bool(fooled.any()):  # what the search takes for a success may be its rounding
                fooled[fooled.clone()] = self.fooled(x.detach()[fooled], y[fooled])
        self.tick()
        return fooled, gradient


def _direction(logits: Tensor, y: Tensor) -> Tensor:
    """The gradient of the cross-entropy with respect to the logits, (B, classes), each row brought near 1.

    Steps look at signs alone, and gradients of confident examples flush to zero on their way back through a network
    in low precision. The factors are powers of two: in fp32 nothing else changes.
    """
    gradient = torch.softmax(logits, 1)
    gradient[torch.arange(len(y), device=y.device), y] -= 1
    exponent = torch.frexp(gradient.abs().amax(1, keepdim=True))[1]
    return torch.ldexp(gradient, -exponent.clamp(min=-120))
