"""The losses of APGD, against the formulas written out for one image at a time."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.attacks.objectives import CrossEntropy, TargetedDlr, ranked_target

CLASSES = 6


def logits() -> Tensor:
    return 3 * torch.randn(40, CLASSES, generator=torch.Generator().manual_seed(0)).double()


LABELS = torch.arange(40) % CLASSES
TARGETS = (LABELS + 1 + torch.arange(40) % (CLASSES - 1)) % CLASSES


def dlr(z: list[float], y: int, t: int) -> float:
    """Croce and Hein, 2020, equation 7."""
    high = sorted(z, reverse=True)
    return -(z[y] - z[t]) / (high[0] - (high[2] + high[3]) / 2)


def test_the_targeted_loss_is_that_of_the_paper() -> None:
    found = TargetedDlr(LABELS, TARGETS).values(logits())
    expected = [dlr(z.tolist(), int(y), int(t)) for z, y, t in zip(logits(), LABELS, TARGETS, strict=True)]
    assert found.tolist() == pytest.approx(expected)


def test_the_gradient_of_the_targeted_loss_has_the_direction_of_its_differences() -> None:
    z, loss, h = logits(), TargetedDlr(LABELS, TARGETS), 1e-6
    steps = h * torch.eye(CLASSES).double()
    expected = torch.stack([(loss.values(z + step) - loss.values(z - step)) / (2 * h) for step in steps], 1)
    torch.testing.assert_close(F.normalize(loss.gradient(z)), F.normalize(expected), rtol=1e-5, atol=1e-6)


def test_the_cross_entropy_orders_iterates_as_the_cross_entropy_of_scaled_logits() -> None:
    clean, z = logits()[:20], logits()[20:]
    loss = CrossEntropy.at(clean, LABELS[:20])
    scale = 5 / clean.std(1, correction=0, keepdim=True)
    expected = F.cross_entropy(z * scale, LABELS[:20], reduction="none")
    torch.testing.assert_close(F.softplus(loss.values(z)), expected)


def test_the_gradient_of_the_cross_entropy_is_that_of_autograd() -> None:
    clean, z = logits()[:20], logits()[20:].requires_grad_()
    loss = CrossEntropy.at(clean, LABELS[:20])
    loss.values(z).sum().backward()
    assert z.grad is not None
    torch.testing.assert_close(F.normalize(loss.gradient(z.detach())), F.normalize(z.grad))


@pytest.mark.parametrize("factor", [1e-20, 1e-3, 1e3, 1e20])
def test_no_loss_depends_on_the_scale_of_the_logits(factor: float) -> None:
    clean, z = logits()[:20], logits()[20:]
    y, t = LABELS[:20], TARGETS[:20]
    pairs = [
        (CrossEntropy.at(clean, y), CrossEntropy.at(clean * factor, y)),
        (TargetedDlr(y, t), TargetedDlr(y, t)),
    ]
    for plain, scaled in pairs:
        torch.testing.assert_close(scaled.values(z * factor), plain.values(z))
        torch.testing.assert_close(F.normalize(scaled.gradient(z * factor)), F.normalize(plain.gradient(z)))


def test_the_loss_of_a_saturated_network_is_not_rounded_to_a_constant() -> None:
    z = torch.tensor([[1e6, 0.0, 0.0, 0.0], [1e6, 1.0, 0.0, 0.0]]).double()
    one = torch.ones(2, 1).double()
    low, high = CrossEntropy(torch.zeros(2, dtype=torch.int64), one).values(z)
    assert -math.inf < low < high


def test_targets_are_the_classes_in_the_order_of_their_logits_without_the_label() -> None:
    z = torch.tensor([[0.0, 4.0, 3.0, 9.0], [7.0, 1.0, 2.0, 2.0]])
    y = torch.tensor([1, 1])
    found = [ranked_target(z, y, rank).tolist() for rank in range(3)]
    assert found == [[3, 0], [2, 2], [0, 3]]


def test_a_part_of_the_images_has_their_part_of_the_loss() -> None:
    rows = LABELS % 2 == 0
    for loss in (TargetedDlr(LABELS, TARGETS), CrossEntropy.at(logits(), LABELS)):
        assert torch.equal(loss[rows].values(logits()[rows]), loss.values(logits())[rows])
