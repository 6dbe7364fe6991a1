"""FGSM-UAP agrees with its formula written out, whole and in micro-batches."""

import pytest
import torch
import torch.nn.functional as F

from engine.attacks.threat import Threat
from engine.training.methods.fgsm_uap import fgsm_uap
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
BOUND = 1.25 * EPS


@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_fgsm_uap_agrees_with_its_formula_by_hand(smoothing: float) -> None:
    model = network()
    learner = learner_on(model, label_smoothing=smoothing)
    d = BOUND * torch.empty(1, 8, 8).uniform_(-1, 1, generator=rng(0)).sign()
    momentum = torch.zeros(1, 8, 8)
    for seed in range(3):
        batch = images(12 * seed)
        x, y = batch.x, batch.y
        start = clipped(x, d.expand_as(x), EPS)
        g = gradient(cross_entropy(model, y), x + start)
        expected = clipped(x, start + EPS * g.sign(), EPS)
        begin, moved = model(x + start), model(x + expected)
        error = sum((a - b) ** 2 for a, b in zip(begin.flatten(), moved.flatten(), strict=True)) / begin.numel()
        descend(model, F.cross_entropy(moved, y, label_smoothing=smoothing) + 10 * error)
        momentum = (g / g.abs().sum()).mean(0) + 0.3 * momentum
        d = (d + BOUND * momentum.sign()).clamp(-BOUND, BOUND)
        same(fgsm_uap(learner, batch, Threat(EPS), rng(seed), alpha=EPS), expected)
        same_weights(learner.model, model)
        same(learner.memory["uap"], d)
    assert learner.memory["uap"].abs().max() == pytest.approx(BOUND)


def test_the_universal_perturbation_moves_in_micro_batches_as_it_does_in_their_whole_minibatch() -> None:
    model = network_without_norms()
    whole, parted = learner_on(model), learner_on(model)
    for seed in range(3):
        batch = images(12 * seed)
        one = fgsm_uap(whole, batch, Threat(EPS), rng(seed), alpha=EPS)
        two = in_parts(parted, batch, 5, lambda part: fgsm_uap(parted, part, Threat(EPS), rng(0), alpha=EPS))
        same(two, one)
        same_weights(parted.model, whole.model)
        same(parted.memory["uap"], whole.memory["uap"])
    assert set(parted.memory) == {"uap", "uap_momentum"}


def test_the_universal_perturbation_starts_again_with_another_image_size() -> None:
    learner = learner_on(
        torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(16, 10))
    )
    for side in (8, 6):
        batch = images()
        smaller = type(batch)(batch.x[:, :, :side, :side], batch.y, batch.index)
        fgsm_uap(learner, smaller, Threat(EPS), rng(0), alpha=EPS)
        assert learner.memory["uap"].shape == (1, side, side)


def test_a_start_whose_gradient_vanishes_moves_no_universal_perturbation() -> None:
    model = network()
    for p in model.parameters():
        torch.nn.init.zeros_(p)
    learner = learner_on(model)
    fgsm_uap(learner, images(), Threat(EPS), rng(0), alpha=EPS)
    assert learner.memory["uap_momentum"].eq(0).all()
    assert learner.memory["uap"].abs().eq(torch.tensor(BOUND)).all()
