"""TRADES agrees with its formula written out."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.attacks.threat import Threat
from engine.config.presets import PRESETS, build, preset_settings
from engine.training.methods.trades import START, trades
from tests.support.by_hand import (
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

EPS, ALPHA = 0.1, 0.03


def kl_by_hand(clean: Tensor, other: Tensor) -> Tensor:
    total = torch.zeros(())
    for p, q in zip(clean.softmax(1), other.softmax(1), strict=True):
        for a, b in zip(p, q, strict=True):
            total = total + a * (a / b).log()
    return total / len(clean)


@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_trades_agrees_with_its_formula_by_hand(smoothing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a larger start than the paper's, where the divergence is so small that rounding decides some signs."""
    assert START == 0.001
    monkeypatch.setattr("engine.training.methods.trades.START", 0.05)
    model = network()
    learner = learner_on(model, label_smoothing=smoothing)
    for step in range(2):
        batch = images(12 * step)
        x, y = batch.x, batch.y
        still = copy.deepcopy(model).eval()
        target = still(x).detach()
        expected = clipped(x, 0.05 * torch.empty_like(x).normal_(generator=rng(step)), EPS)
        for _ in range(3):
            g = gradient(lambda moved: kl_by_hand(target, still(moved)), x + expected)  # noqa: B023
            expected = clipped(x, expected + ALPHA * g.sign(), EPS)
        clean, moved = model(x), model(x + expected)
        descend(model, F.cross_entropy(clean, y, label_smoothing=smoothing) + 6 * kl_by_hand(clean, moved))
        found = trades(learner, batch, Threat(EPS), rng(step), alpha=ALPHA, steps=3)
        same(found, expected)
        same_weights(learner.model, model)


def test_trades_makes_in_micro_batches_the_update_of_the_whole_minibatch() -> None:
    model, batch = network_without_norms(), images()
    whole, parted = learner_on(model), learner_on(model)
    one = trades(whole, batch, Threat(EPS), rng(0), alpha=ALPHA, steps=2)
    noise = rng(0)
    two = in_parts(parted, batch, 5, lambda part: trades(parted, part, Threat(EPS), noise, alpha=ALPHA, steps=2))
    same(two, one)
    same_weights(parted.model, whole.model)


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "wong2020-mnist"])
def test_trades_has_the_steps_of_its_paper_where_a_preset_sets_those_of_pgd(preset: str) -> None:
    """On MNIST the paper takes 40 steps, as PGD does there."""
    assert preset_settings(preset, "trades").get("method.steps", 10) == 10


def test_the_steps_in_l2_follow_the_gradient_scaled_to_length_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.methods.trades.START", 0.05)  # as above
    model, batch, start = network(), images(), 0.05 * torch.empty(12, 1, 8, 8).normal_(generator=rng(0))
    still = copy.deepcopy(model).eval()
    target = still(batch.x).detach()
    start = clipped(batch.x, start, None)
    g = gradient(lambda moved: kl_by_hand(target, still(moved)), batch.x + start)
    expected = clipped(batch.x, start + torch.stack([0.3 * row / row.norm() for row in g]), None)
    found = trades(learner_on(model), batch, Threat(1.0, "l2"), rng(0), alpha=0.3, steps=1)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_trades_has_the_defaults_of_its_paper() -> None:
    config = build("cifar", {"method.name": "trades"})
    assert config.method.options == {"steps": 10, "beta": 6.0}
    assert config.alpha == pytest.approx(2 / 255)
