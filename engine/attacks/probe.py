"""Gives an attack the gradients of a model, and decides which images the model misclassifies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from engine.attacks.objectives import Loss, Objective, RescaledCrossEntropy, centred
from engine.models.fold_batchnorm import folded

# Largest deviation of the logits in low precision from those in fp32, relative to the spread of the logits. Measured on
# trained networks (digits, MNIST, PreActResNet18 on CIFAR-10): 0.0003 to 0.007. In fp16 the MNIST network deviates by
# 0.0006. With its last layer multiplied by 1e-5 it deviates by 0.016, and looked 3.7 points more robust.
MAX_DEVIATION = {torch.bfloat16: 0.05, torch.float16: 0.005}

MIN_SPREAD = 2.0**-12  # of the logits of an image; a smaller spread is amplified no further, or fp16 could overflow


class Probe:
    """A model under attack. Gradients may be in low precision; which images are misclassified is decided in fp32.

    dtype: precision of the gradients under autocast, or None for fp32. The model must be in eval mode and frozen, and
    must not change while a Probe is in use. A model that low precision cannot compute is attacked in fp32 instead.
    `gradients` counts the images that went through a forward and a backward pass. `tick` is called after each such
    pass, and an exception of `tick` ends the attack.

    Raises: ValueError, if a layer of the model behaves as in training.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype | None = None) -> None:
        if any(layer.training and isinstance(layer, _BatchNorm | _DropoutNd) for layer in model.modules()):
            raise ValueError("the model is in train mode: its answers to an image depend on chance or the minibatch")
        self.model, self.dtype = model, dtype
        self._searched = model if dtype is None else folded(model, dtype)
        self._compared = dtype is None  # whether the logits in low precision were compared with those in fp32
        self.gradients = 0
        self.tick: Callable[[], None] = lambda: None

    @contextmanager
    def exact(self) -> Iterator[None]:
        """Within this context, gradients are in fp32."""
        before = self._searched, self.dtype, self._compared
        self._searched, self.dtype, self._compared = self.model, None, True
        try:
            yield
        finally:
            self._searched, self.dtype, self._compared = before

    def fooled(self, x: Tensor, y: Tensor) -> Tensor:
        """Which images are misclassified: bool, (B,). x: images in [0,1], (B, C, H, W); y: labels, (B,)."""
        with torch.no_grad():
            return misclassified(self.model(x), y)

    def fooled_and_gradient(self, x: Tensor, y: Tensor, settled: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Which images are misclassified, and the gradient of PGD's loss with respect to the images.

        settled: images whose answer nobody needs, bool, (B,). They count as classified correctly.
        The gradient of each image is scaled by a positive factor, so that only the direction has a meaning. A gradient
        that low precision computes as zero or not at all is computed again in fp32. So a gradient of zero means that
        the model has no gradient at this image.
        """
        fooled, _, gradient = self._search(x, y, RescaledCrossEntropy(y), settled)
        return fooled, gradient

    def fooled_values_and_gradient(
        self, x: Tensor, y: Tensor, loss: Loss, settled: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `fooled_and_gradient`, for another loss. Second in the answer: its value for each image, float64, (B,)."""
        fooled, logits, gradient = self._search(x, y, loss, settled)
        return fooled, loss.values(logits), gradient

    def logits(self, x: Tensor) -> Tensor:
        """The logits in fp32 without a gradient, (B, classes). x: images in [0,1], (B, C, H, W)."""
        with torch.no_grad():
            found: Tensor = self.model(x)
        return found

    def glance(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same as `fooled_and_gradient`, but the host does not wait for the device, so nothing is done in fp32.

        In low precision, the images in the first mask may be misclassified by rounding alone. Last in the answer: the
        images whose gradient low precision computes as zero or not at all, bool, (B,).
        """
        wrong, _, gradient, lost = self._glance(x, y, RescaledCrossEntropy(y))
        self.tick()
        return wrong, gradient.nan_to_num_(), lost

    def _glance(self, x: Tensor, y: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        self.gradients += len(y)
        if not self._compared:
            self._compare_precisions(x)
        logits, gradient = _logits_and_gradient(self._searched, x, objective, self.dtype)
        fooled = misclassified(logits, y)
        if self.dtype is None:
            return fooled, logits, gradient, torch.zeros_like(fooled)
        return fooled, logits, gradient, without_gradient(gradient) | ~_finite(gradient)

    def _search(
        self, x: Tensor, y: Tensor, objective: Objective, settled: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Which images are misclassified, the logits, and the gradient of the objective with respect to the images."""
        fooled, logits, gradient, lost = self._glance(x, y, objective)
        if settled is not None:
            fooled &= ~settled
        if self.dtype is not None:
            if bool(fooled.any()):  # low precision may misclassify by rounding alone
                fooled[fooled.clone()] = self.fooled(x.detach()[fooled], y[fooled])
            lost &= ~fooled
            if settled is not None:
                lost &= ~settled
            if bool(lost.any()):
                exact, found = _logits_and_gradient(self.model, x.detach()[lost], objective[lost], None)
                logits[lost], gradient[lost] = exact.to(logits.dtype), found.to(gradient.dtype)
        self.tick()
        # An overflowed value has no sign, and must not become a perturbation.
        return fooled, logits, gradient.nan_to_num_()

    def _compare_precisions(self, x: Tensor) -> None:
        """Search in fp32 if low precision gives other logits: its numbers may be too few for the model's weights."""
        assert self.dtype is not None
        self._compared = True
        with torch.no_grad():
            exact = self.model(x).double()
            with torch.autocast(x.device.type, dtype=self.dtype):
                rounded = self._searched(x).double()
        spread = (exact - exact.mean(1, keepdim=True)).norm()
        if not bool((rounded - exact).norm() <= MAX_DEVIATION[self.dtype] * spread):  # also if a logit is not finite
            self._searched, self.dtype = self.model, None


def misclassified(logits: Tensor, y: Tensor) -> Tensor:
    """Which images are misclassified: bool, (B,). Logits that are not finite count as wrong, whatever their order.

    logits: (B, classes); y: labels, (B,).
    """
    return (logits.argmax(1) != y) | ~_finite(logits)


def without_gradient(gradient: Tensor) -> Tensor:
    """The images whose gradient is exactly zero: bool, (B,). gradient: (B, C, H, W)."""
    return ~gradient.flatten(1).any(1)


def _logits_and_gradient(
    model: nn.Module, x: Tensor, objective: Objective, dtype: torch.dtype | None
) -> tuple[Tensor, Tensor]:
    """The logits, (B, classes), and the gradient of the objective with respect to the images, (B, C, H, W)."""
    with torch.autocast(x.device.type, dtype=dtype, enabled=dtype is not None):
        logits = model(x.requires_grad_())
    direction = (objective.gradient(logits.detach()) * _amplification(logits.detach())).to(logits.dtype)
    # `grad(logits, x, direction)` gives the same bits, but makes torch import sympy: 0.7 s of each start.
    return logits.detach(), torch.autograd.grad((logits * direction).sum(), x)[0]


def _amplification(logits: Tensor) -> Tensor:
    """A power of two for each image, (B, 1) in float64, that keeps gradients in fp16 above its smallest numbers.

    A model that shrinks its logits shrinks the gradients of all its layers, too. Below 6e-5, fp16 loses digits, and the
    attack becomes weaker. A power of two changes no digit. logits: (B, classes).
    """
    spread = centred(logits).square().mean(1, keepdim=True).sqrt().nan_to_num(1.0)
    return torch.exp2(spread.clamp(MIN_SPREAD, 1.0).log2().neg().floor())


def _finite(rows: Tensor) -> Tensor:
    return rows.flatten(1).isfinite().all(1)
