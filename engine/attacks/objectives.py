"""What an attack maximises: a value for each image, and its gradient with respect to the logits.

All of them but `CrossEntropy.plain` depend on the logits up to a positive factor and a shift only, so that an attack
takes the same steps if a model multiplies its logits by any number. The plain cross-entropy does not: large logits
saturate the softmax, its gradient vanishes, and the model looks robust (Carlini and Wagner, 2017, section V).
"""

from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

LOGIT_STD = 5.0  # the cross-entropy of an attack sees the logits of each image at this standard deviation
SMALLEST = 1e-300  # a divisor in float64 that is no zero


class Objective(Protocol):
    """The loss of an attack on B images. `objective[rows]` is the loss on some of the images."""

    def gradient(self, logits: Tensor) -> Tensor:
        """The gradient with respect to the logits, float64, (B, classes), up to a positive factor for each image."""
        ...

    def __getitem__(self, rows: Tensor) -> Self: ...


class Loss(Objective, Protocol):
    """An objective whose values at several iterates can be compared with each other."""

    def values(self, logits: Tensor) -> Tensor:
        """The value for each image, float64, (B,). logits: (B, classes)."""
        ...


@dataclass(frozen=True)
class RescaledCrossEntropy:
    """The cross-entropy of logits that are scaled anew at each iterate; the factor counts as a constant.

    y: labels, (B,).
    """

    y: Tensor

    def gradient(self, logits: Tensor) -> Tensor:
        return loss_gradient(logits, self.y)

    def __getitem__(self, rows: Tensor) -> "RescaledCrossEntropy":
        return RescaledCrossEntropy(self.y[rows])


@dataclass(frozen=True)
class CrossEntropy:
    """The cross-entropy of the logits times `scale`. y: labels, (B,); scale: float64, (B, 1).

    The value is log sum exp of the wrong classes minus the logit of the label. The cross-entropy is the softplus of
    it, so both order the iterates alike, but this value is not rounded to zero where the softmax is saturated.
    """

    y: Tensor
    scale: Tensor

    @classmethod
    def at(cls, logits: Tensor, y: Tensor) -> "CrossEntropy":
        """The loss that scales the logits of each clean image to LOGIT_STD. logits: of the clean images."""
        return cls(y, LOGIT_STD / _deviation(centred(logits)).clamp_min(SMALLEST))

    @classmethod
    def plain(cls, y: Tensor) -> "CrossEntropy":
        """The loss on the logits as they are."""
        return cls(y, torch.ones_like(y, dtype=torch.float64)[:, None])

    def values(self, logits: Tensor) -> Tensor:
        scaled = centred(logits) * self.scale
        own = self.y[:, None]
        return torch.logsumexp(scaled.scatter(1, own, -torch.inf), 1) - scaled.gather(1, own).squeeze(1)

    def gradient(self, logits: Tensor) -> Tensor:
        return _cross_entropy_gradient(centred(logits) * self.scale, self.y)

    def __getitem__(self, rows: Tensor) -> "CrossEntropy":
        return CrossEntropy(self.y[rows], self.scale[rows])


@dataclass(frozen=True)
class TargetedDlr:
    """The targeted difference of logits ratio (Croce and Hein, 2020, section 4, equation 7). It needs four classes.

    -(z_y - z_t) / (z_1 - (z_3 + z_4) / 2), where z_1 >= z_2 >= ... are the logits in descending order.
    y: labels, (B,); target: classes t other than the labels, (B,).
    """

    y: Tensor
    target: Tensor

    def values(self, logits: Tensor) -> Tensor:
        lead, spread, _ = self._parts(logits)
        return -lead / spread

    def gradient(self, logits: Tensor) -> Tensor:
        """The gradient, multiplied by the divisor of the loss, which keeps its numbers near 1."""
        lead, spread, order = self._parts(logits)
        found = torch.zeros_like(logits, dtype=torch.float64)
        pull = (lead / spread)[:, None]
        found.scatter_add_(1, order[:, :1], pull)
        found.scatter_add_(1, order[:, 2:], -pull.expand(-1, 2) / 2)
        one = torch.ones_like(pull)
        found.scatter_add_(1, self.y[:, None], -one)
        return found.scatter_add_(1, self.target[:, None], one)

    def __getitem__(self, rows: Tensor) -> "TargetedDlr":
        return TargetedDlr(self.y[rows], self.target[rows])

    def _parts(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z_y - z_t and the divisor, (B,) each, and the classes of the four highest logits, (B, 4)."""
        z = logits.double()
        high, order = z.topk(4, dim=1)
        lead = (z.gather(1, self.y[:, None]) - z.gather(1, self.target[:, None])).squeeze(1)
        return lead, (high[:, 0] - (high[:, 2] + high[:, 3]) / 2).clamp_min(SMALLEST), order


def ranked_target(logits: Tensor, y: Tensor, rank: int) -> Tensor:
    """The class with the highest logit (rank 0), the next one (rank 1), ... except the label: int64, (B,).

    logits: of the clean images, (B, classes); y: labels, (B,).
    """
    others = logits.double().scatter(1, y[:, None], -torch.inf)
    return others.sort(dim=1, descending=True, stable=True).indices[:, rank]


def centred(logits: Tensor) -> Tensor:
    """The logits of each image without their mean, in float64: (B, classes)."""
    return logits.double() - logits.double().mean(1, keepdim=True)


def loss_gradient(logits: Tensor, y: Tensor) -> Tensor:
    """The gradient of PGD's loss with respect to the logits, (B, classes) in float64, up to a positive factor.

    The loss is the cross-entropy of the logits, scaled for each image and iterate to a standard deviation of LOGIT_STD.
    The factor counts as a constant. Croce and Hein (2020, section 4) rescale the logits for the same reason.
    """
    found = centred(logits)
    return _cross_entropy_gradient(found * (LOGIT_STD / _deviation(found).clamp_min(SMALLEST)), y)


def _deviation(found: Tensor) -> Tensor:
    return found.square().mean(1, keepdim=True).sqrt()


def _cross_entropy_gradient(scaled: Tensor, y: Tensor) -> Tensor:
    """The gradient of the cross-entropy is (1 - p_y) (q - e_y).

    q is the softmax over the wrong classes and e_y the unit vector of the label. The first factor may be rounded to
    zero, so it is left out: steps use the direction alone.
    """
    label = torch.zeros_like(scaled, dtype=torch.bool).scatter_(1, y[:, None], True)
    return torch.softmax(scaled.masked_fill(label, -torch.inf), 1).nan_to_num().masked_fill(label, -1.0)
