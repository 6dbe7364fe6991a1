"""Training steps written out slowly, which training methods are compared with."""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.data.minibatch import Minibatch
from engine.training.learner import Learner, MicroBatch
from tests.support.networks import digits, make_learner

RATE = 0.05  # learning rate, without momentum and decay
CLASSES = 10
TOTAL_STEPS = 8


def network(seed: int = 0) -> nn.Module:
    """A small network with BatchNorm, so that train mode and eval mode differ."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, CLASSES))
    with torch.no_grad():
        model(torch.rand(64, 1, 8, 8))  # running statistics that are not those of a minibatch
    return model


def network_without_norms(seed: int = 0) -> nn.Module:
    """A small network whose answer to an image depends on this image alone."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, CLASSES))


def learner_on(model: nn.Module, precision: str = "fp32", label_smoothing: float = 0.0) -> Learner:
    """A learner on a copy of the model: plain SGD with the rate RATE, for a training of TOTAL_STEPS updates."""
    learner = make_learner(
        copy.deepcopy(model), total_steps=TOTAL_STEPS, precision=precision, lr=RATE, momentum=0.0, weight_decay=0.0,
        label_smoothing=label_smoothing,
    )  # fmt: skip
    learner.model.load_state_dict(model.state_dict())
    return learner


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(start: int = 0, count: int = 12) -> Minibatch:
    x, y, _, _ = digits()
    part = slice(start, start + count)
    return Minibatch(x[part].clone(), y[part].clone(), torch.arange(start, start + count))


def in_parts(learner: Learner, batch: Minibatch, size: int, step: Callable[[Minibatch], Tensor]) -> Tensor:
    """The perturbation of a minibatch that a method takes in micro-batches of `size` images."""
    made = []
    for begin in range(0, len(batch), size):
        part = batch.part(begin, begin + size)
        with learner.part(MicroBatch(len(part) / len(batch), first=not begin, last=begin + size >= len(batch))):
            made.append(step(part))
    return torch.cat(made)


def gradient(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient of a scalar function of the images."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(loss(x), x)[0]


def cross_entropy(model: nn.Module, y: Tensor, label_smoothing: float = 0.0) -> Callable[[Tensor], Tensor]:
    """The summed cross-entropy as a function of the images."""
    return lambda x: F.cross_entropy(model(x), y, reduction="sum", label_smoothing=label_smoothing)


def descend(model: nn.Module, loss: Tensor) -> None:
    """One step of plain gradient descent on the weights."""
    weights = list(model.parameters())
    gradients = torch.autograd.grad(loss, weights)
    with torch.no_grad():
        for p, g in zip(weights, gradients, strict=True):
            p -= RATE * g


def clipped(x: Tensor, delta: Tensor, eps: float | None) -> Tensor:
    """Pixel by pixel: clipped to [-eps, eps] unless eps is None, then so that x + delta lies in [0,1]."""
    values = []
    for pixel, d in zip(x.flatten().tolist(), delta.flatten().tolist(), strict=True):
        d = d if eps is None else min(max(d, -eps), eps)
        values.append(min(max(pixel + d, 0.0), 1.0) - pixel)
    return torch.tensor(values).view_as(x)


def same(found: Tensor | None, expected: Tensor) -> None:
    assert found is not None
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-6)


def same_weights(model: nn.Module, other: nn.Module) -> None:
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=2e-6)
