"""SORA agrees with its formula written out, and its step follows the curvature of the loss."""

import pytest
import torch
from torch import Tensor

from engine.attacks.threat import Threat
from engine.training.methods.sora import METHOD, sora
from tests.support.by_hand import (
    clipped,
    cross_entropy,
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


def linearity_by_hand(g1: Tensor, g2: Tensor) -> float:
    """The mean over images of <sign g1, g2> / |g1|_1, clipped to [-1, 1]."""
    ratios = []
    for before, after in zip(g1.flatten(1).tolist(), g2.flatten(1).tolist(), strict=True):
        slope = sum(((a > 0) - (a < 0)) * b for a, b in zip(before, after, strict=True))
        ratios.append(slope / sum(abs(a) for a in before))
    return min(max(sum(ratios) / len(ratios), -1.0), 1.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_sora_agrees_with_its_formula_by_hand(smoothing: float) -> None:
    model = network()
    learner, c, alignments = learner_on(model, label_smoothing=smoothing), 0.99, []
    for seed in range(3):
        batch = images(12 * seed)
        noise = rng(seed)
        eta = clipped(batch.x, torch.empty_like(batch.x).uniform_(-EPS, EPS, generator=noise), EPS)
        r = torch.empty_like(batch.x).uniform_(0, 1, generator=noise)
        loss = cross_entropy(model, batch.y, smoothing)
        g1 = gradient(loss, batch.x + eta)
        a = 2 * EPS * min(1.0, 0.02 / (1 - c))
        expected = clipped(batch.x, eta + a * r * g1.sign(), None)
        g2 = gradient(loss, batch.x + expected)
        alignments.append(float(torch.nn.functional.cosine_similarity(g1.flatten(1), g2.flatten(1)).mean()))
        descend(model, loss(batch.x + expected) / len(batch))
        c = 0.95 * c + 0.05 * linearity_by_hand(g1, g2)
        same(sora(learner, batch, Threat(EPS), rng(seed), alpha=2 * EPS), expected)
        same_weights(learner.model, model)
        assert float(learner.memory["linearity"]) == pytest.approx(c, abs=1e-5)
    average = alignments[0]
    for alignment in alignments[1:]:
        average = 0.98 * average + 0.02 * alignment
    assert learner.alignment() == pytest.approx(average, abs=1e-4)


def test_the_largest_step_is_twice_eps_and_shrinks_while_the_loss_is_curved() -> None:
    assert METHOD.alpha is not None
    assert METHOD.alpha(EPS, 0.01) == pytest.approx(2 * EPS)
    sizes = []
    for linearity in (0.99, 0.5):
        learner = learner_on(network())
        learner.memory["linearity"] = torch.tensor(linearity)
        batch = images()
        delta = sora(learner, batch, Threat(EPS), rng(0), alpha=2 * EPS)
        sizes.append(float(delta.abs().max()))
    assert EPS < sizes[0] <= 3 * EPS + 1e-6
    assert sizes[1] <= EPS + 2 * EPS * 0.02 / 0.5 + 1e-6


def test_micro_batches_have_one_linearity_and_one_alignment() -> None:
    """The network has no BatchNorm, and the noise is the same: each part draws from the same generator in turn."""
    model, batch = network_without_norms(), images()
    parted = learner_on(model)
    noise = rng(0)
    delta = in_parts(parted, batch, 5, lambda part: sora(parted, part, Threat(EPS), noise, alpha=2 * EPS))
    grads = [gradient(cross_entropy(model, batch.y), batch.x + d) for d in (torch.zeros_like(delta), delta)]
    assert parted.step == 1
    assert set(parted.memory) == {"linearity"}
    noise, starts = rng(0), []
    for part in (batch.part(0, 5), batch.part(5, 10), batch.part(10, 12)):
        starts.append(clipped(part.x, torch.empty_like(part.x).uniform_(-EPS, EPS, generator=noise), EPS))
        torch.empty_like(part.x).uniform_(0, 1, generator=noise)
    grads[0] = gradient(cross_entropy(model, batch.y), batch.x + torch.cat(starts))
    expected = 0.95 * 0.99 + 0.05 * linearity_by_hand(grads[0], grads[1])
    assert float(parted.memory["linearity"]) == pytest.approx(expected, abs=1e-6)
    cosine = torch.nn.functional.cosine_similarity(grads[0].flatten(1), grads[1].flatten(1)).mean()
    assert parted.alignment() == pytest.approx(float(cosine), abs=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_scales_no_gradient_by_another_factor(precision: str) -> None:
    """The linearity compares two gradients, so that fp16's loss scale must not remain in one of them."""
    found = []
    for chosen in ("fp32", precision):
        learner = learner_on(network(), chosen)
        sora(learner, images(), Threat(EPS), rng(0), alpha=2 * EPS)
        found.append(float(learner.memory["linearity"]))
    assert found[1] == pytest.approx(found[0], abs=2e-3)
