"""LIET agrees with its formula written out."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.attacks.threat import Threat
from engine.config.errors import ConfigError
from engine.config.presets import build
from engine.training.methods.liet import liet
from tests.support.by_hand import (
    CLASSES,
    TOTAL_STEPS,
    clipped,
    cross_entropy,
    descend,
    gradient,
    images,
    learner_on,
    network,
    rng,
    same,
    same_weights,
)

EPS = 0.1


def table_by_hand(model: nn.Module) -> list[Tensor]:
    """For each label, eps times the sign of the gradient at a grey image, in eval mode."""
    still = copy.deepcopy(model).eval()
    grey = torch.full((1, 1, 8, 8), 0.5)
    return [EPS * gradient(cross_entropy(still, torch.tensor([k])), grey)[0].sign() for k in range(CLASSES)]


def js_by_hand(one: Tensor, other: Tensor) -> Tensor:
    total = torch.zeros(())
    for p, q in zip(one.softmax(1), other.softmax(1), strict=True):
        for a, b in zip(p, q, strict=True):
            middle = (a + b) / 2
            total = total + (a * (a / middle).log() + b * (b / middle).log()) / 2
    return total / len(one)


def test_liet_agrees_with_its_formula_by_hand() -> None:
    model = network()
    learner = learner_on(model, label_smoothing=0.3)
    table: list[Tensor] = []
    for step in range(4):
        batch = images(12 * step)
        x, y = batch.x, batch.y
        table = table_by_hand(model) if step % 3 == 0 else table
        noise = rng(step)
        uniform = torch.empty_like(x).uniform_(-EPS, EPS, generator=noise)
        sign = math.copysign(1, float(torch.empty(()).uniform_(-1, 1, generator=noise)))
        share = 0.1 + 0.4 * (float(torch.empty(()).uniform_(-1, 1, generator=noise)) + 1) / 2
        chosen = (torch.empty_like(x).uniform_(-1, 1, generator=noise) + 1) / 2 < share
        start = torch.stack([table[int(label)] for label in y])
        start[chosen] = uniform[chosen]
        start = clipped(x, sign * start, None)
        twin = copy.deepcopy(model)  # so that each pass moves the statistics of `model` once
        expected = clipped(x, start + EPS * gradient(cross_entropy(twin, y), x + start).sign(), EPS)
        begin, moved = model(x + start), model(x + expected)
        weight = 100 * step / TOTAL_STEPS
        descend(model, F.cross_entropy(moved, y, label_smoothing=0.3) + weight * js_by_hand(begin, moved))
        same(liet(learner, batch, Threat(EPS), rng(step), alpha=EPS, table_steps=3), expected)
        same_weights(learner.model, model)
        same(learner.memory["label_table"], torch.stack(table))


def test_the_table_leaves_the_batch_norm_statistics_as_they_are() -> None:
    """One pass at the start and one at the perturbed images move them; the table is made in eval mode."""
    learner = learner_on(network())
    norm = learner.model[1]
    before = int(norm.num_batches_tracked)
    liet(learner, images(), Threat(EPS), rng(0), alpha=EPS)
    assert int(norm.num_batches_tracked) == before + 2
    assert learner.model.training


def test_a_minibatch_that_is_smaller_than_the_number_of_classes_makes_the_same_table() -> None:
    tables = []
    for count in (12, 3):
        learner = learner_on(network())
        liet(learner, images(count=count), Threat(EPS), rng(0), alpha=EPS)
        tables.append(learner.memory["label_table"])
    assert torch.equal(*tables)


def test_a_lower_bound_above_the_upper_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"method.mask_low = 0.7 is above method.mask_high = 0.5"):
        build("digits", {"method.name": "liet", "method.mask_low": 0.7})
