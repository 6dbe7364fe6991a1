"""Losses between the logits of the same images at two points, for methods that regularise. All take float32 logits."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.training.nuclear_norm import nuclear_norm


def js_divergence(logits: Tensor, other: Tensor) -> Tensor:
    """The mean Jensen-Shannon divergence of two softmax outputs, in nats. logits, other: (B, classes)."""
    log_p, log_q = logits.log_softmax(1), other.log_softmax(1)
    log_mean = torch.logaddexp(log_p, log_q) - math.log(2)
    return (_kl(log_p, log_mean) + _kl(log_q, log_mean)) / 2


def kl_divergence(logits: Tensor, other: Tensor) -> Tensor:
    """The mean Kullback-Leibler divergence KL(softmax(logits) || softmax(other)), in nats. Both: (B, classes)."""
    return _kl(logits.log_softmax(1), other.log_softmax(1))


def nuclear_distance(logits: Tensor, other: Tensor) -> Tensor:
    """The nuclear norm of the difference, divided by the number of images. logits, other: (B, classes).

    The nuclear norm is the sum of the singular values of the (B, classes) matrix. It is NaN if a logit is not finite.
    """
    difference = logits - other
    norm = nuclear_norm(difference.nan_to_num(0.0, 0.0, 0.0))
    return (norm + (difference.detach() - difference.detach()).sum()) / len(logits)


def squared_distance(logits: Tensor, other: Tensor) -> Tensor:
    """The mean over images of the squared distance of two softmax outputs. logits, other: (B, classes)."""
    return (logits.softmax(1) - other.softmax(1)).square().sum(1).mean()


def mean_squared_error(logits: Tensor, other: Tensor) -> Tensor:
    """The mean squared difference, over images and classes. logits, other: (B, classes)."""
    return F.mse_loss(logits, other)


def _kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
