"""GAT and NuAT agree with their formulas written out."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.attacks.threat import Threat
from engine.training.losses import nuclear_distance
from engine.training.methods.gat import gat
from engine.training.methods.nuat import nuat
from tests.support.by_hand import (
    TOTAL_STEPS,
    clipped,
    descend,
    gradient,
    images,
    in_parts,
    learner_on,
    network,
    network_without_norms,
    rng,
    same,
    same_weights,
)

EPS = 0.1


def gat_by_hand(step: int, clean: Tensor, other: Tensor) -> Tensor:
    rows = zip(clean.softmax(1), other.softmax(1), strict=True)
    return 10 * sum((((p - q) ** 2).sum() for p, q in rows), torch.zeros(())) / len(clean)


def nuat_by_hand(step: int, clean: Tensor, other: Tensor) -> Tensor:
    """The nuclear norm as the sum of the roots of the eigenvalues of the Gram matrix, in double precision."""
    difference = (clean - other).double()
    norm = torch.linalg.eigvalsh(difference.T @ difference).clamp_min(1e-30).sqrt().sum()
    return 4 * step / TOTAL_STEPS * norm.float() / len(clean)


@pytest.mark.parametrize(("method", "regularizer"), [(gat, gat_by_hand), (nuat, nuat_by_hand)])
@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_a_guided_method_agrees_with_its_formula_by_hand(
    method: Callable[..., Tensor], regularizer: Callable[[int, Tensor, Tensor], Tensor], smoothing: float
) -> None:
    model = network()
    learner = learner_on(model, label_smoothing=smoothing)
    for step in range(4):
        batch = images(12 * step)
        x, y = batch.x, batch.y
        clean = model(x)
        still, reference = copy.deepcopy(model).eval(), clean.detach()

        def attacked(moved: Tensor) -> Tensor:
            logits = still(moved)  # noqa: B023
            guide = regularizer(step, reference, logits) if step % 2 else 0.0  # noqa: B023
            return F.cross_entropy(logits, y) + guide  # noqa: B023

        start = clipped(x, EPS / 2 * torch.empty_like(x).uniform_(-1, 1, generator=rng(step)).sign(), None)
        expected = clipped(x, start + EPS * gradient(attacked, x + start).sign(), EPS)
        loss = F.cross_entropy(clean, y, label_smoothing=smoothing) + regularizer(step, clean, model(x + expected))
        descend(model, loss)
        same(method(learner, batch, Threat(EPS), rng(step), alpha=EPS), expected)
        same_weights(learner.model, model)
        assert learner.model.training


def test_gat_makes_in_micro_batches_the_update_of_the_whole_minibatch() -> None:
    model, batch = network_without_norms(), images()
    whole, parted = learner_on(model), learner_on(model)
    one = gat(whole, batch, Threat(EPS), rng(0), alpha=EPS)
    noise = rng(0)
    two = in_parts(parted, batch, 5, lambda part: gat(parted, part, Threat(EPS), noise, alpha=EPS))
    same(two, one)
    same_weights(parted.model, whole.model)


def test_the_nuclear_norm_of_micro_batches_is_at_least_that_of_their_whole_minibatch() -> None:
    logits, other = torch.randn(12, 10, generator=rng(0)), torch.randn(12, 10, generator=rng(1))
    parts = sum(nuclear_distance(logits[part], other[part]) * 6 / 12 for part in (slice(6), slice(6, 12)))
    assert parts >= nuclear_distance(logits, other)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_the_nuclear_norm_of_logits_that_are_not_finite_is_nan_and_no_exception(wrong: float) -> None:
    logits = torch.zeros(3, 2, requires_grad=True)
    other = torch.tensor([[0.0, wrong], [0.0, 0.0], [1.0, 2.0]])
    loss = nuclear_distance(logits, other)
    assert loss.isnan()
    loss.backward()
