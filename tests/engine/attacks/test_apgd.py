"""APGD fools the images that the paper's algorithm fools, in any batch, precision and scale of the logits."""

import math
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.attacks.apgd import GIVE_UP, ApgdCe, ApgdTargeted, RescaledApgdCe, fooled_by_apgd, period_ends, start_noise
from engine.attacks.objectives import CrossEntropy, TargetedDlr, ranked_target
from engine.attacks.probe import Probe
from engine.attacks.stage import Composite
from engine.attacks.threat import Threat
from engine.evaluation.evaluation import Evaluation
from engine.runtime.eval_mode import evaluating
from engine.runtime.rng import image_noise
from tests.engine.attacks.test_probe import digit_images, rescaled
from tests.support.networks import InDouble, digits, trained_digits
from tests.support.textbook_apgd import CHECKS, textbook_apgd

THREAT = Threat(0.12)
QUICK = Composite("aa-quick", (RescaledApgdCe(), ApgdTargeted(9)))


@cache
def network() -> nn.Module:
    return InDouble(trained_digits())


def right_images(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images that the network classifies correctly, their labels and their numbers."""
    _, _, x, y = digits()
    model = network()
    with torch.no_grad(), evaluating(model):
        numbers = (model(x).argmax(1) == y).nonzero().flatten()[:count]
    return x[numbers], y[numbers], numbers


def test_step_sizes_are_checked_where_the_paper_checks_them() -> None:
    assert period_ends(100) == CHECKS
    assert period_ends(1) == (1,)


@pytest.mark.parametrize("kind", ["plain", "rescaled", "targeted"])
def test_apgd_fools_the_images_that_the_algorithm_of_the_paper_fools(kind: str) -> None:
    x, y, numbers = right_images(25)
    with evaluating(network()):
        clean = Probe(network()).logits(x)
        target = ranked_target(clean, y, 0)
        start = start_noise(THREAT, x, image_noise(3, 0, numbers, x.shape[1:]))
        losses = {
            "plain": CrossEntropy.plain(y),
            "rescaled": CrossEntropy.at(clean, y),
            "targeted": TargetedDlr(y, target),
        }
        found, unmoved = fooled_by_apgd(Probe(network()), x, y, start, losses[kind], THREAT, 100)
        expected = []
        for n in range(len(y)):
            label, aim = y[n : n + 1], target[n : n + 1]
            scale = 5 / clean[n].std(correction=0) if kind == "rescaled" else torch.ones(())

            def value(z: Tensor, label: Tensor = label, aim: Tensor = aim, scale: Tensor = scale) -> Tensor:
                if kind != "targeted":
                    return F.cross_entropy(z.double() * scale, label)
                high = z.double().sort(descending=True).values[0]
                return -(z[0, label] - z[0, aim]).double().squeeze() / (high[0] - (high[2] + high[3]) / 2)

            args = x[n : n + 1], int(label), start[n : n + 1], THREAT.eps
            expected.append(textbook_apgd(network(), *args, value))
    assert found.tolist() == expected
    assert 3 < sum(expected) < 22
    assert not unmoved.any()


def test_apgd_ce_is_one_search_on_the_plain_cross_entropy_in_fp32() -> None:
    """A search in bf16 of the same network would see other logits."""
    x, y, numbers = right_images(25)
    model = trained_digits()
    with evaluating(model):
        start = start_noise(THREAT, x, image_noise(3, 0, numbers, x.shape[1:]))
        expected = fooled_by_apgd(Probe(model), x, y, start, CrossEntropy.plain(y), THREAT, 100)
        probe = Probe(model, torch.bfloat16)
        found = ApgdCe().attack(probe, x, y, numbers, THREAT, 3, range(1))
    assert torch.equal(found[0], expected[0])
    assert 3 < int(found[0].sum()) < 22
    assert probe.dtype is torch.bfloat16  # later stages search in low precision again


def test_the_start_is_at_the_border_of_the_ball_and_in_the_box() -> None:
    x = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    free = start_noise(THREAT, torch.full_like(x, 0.5), image_noise(0, 0, torch.arange(20), x.shape[1:]))
    torch.testing.assert_close(free.flatten(1).abs().amax(1), torch.full((20,), THREAT.eps))
    boxed = x + start_noise(THREAT, x, image_noise(0, 0, torch.arange(20), x.shape[1:]))
    assert boxed.min() >= 0
    assert boxed.max() <= 1


def test_a_search_that_is_given_up_loses_no_image_here_and_saves_more_than_half() -> None:
    x, y, numbers = right_images(120)
    left = torch.ones_like(y, dtype=torch.bool)
    counts, fooled = [], []
    with evaluating(network()):
        for give_up in (math.inf, GIVE_UP):
            probe, stage = Probe(network()), ApgdTargeted(9, give_up=give_up)
            left = torch.ones_like(y, dtype=torch.bool)
            for part in range(3):
                left[left.clone()] = ~stage.attack(
                    probe, x[left], y[left], numbers[left], THREAT, 0, range(part, part + 1)
                )[0]
            counts.append(probe.gradients)
            fooled.append(left)
    assert torch.equal(*fooled)
    assert counts[1] < counts[0] / 2


def test_targets_at_once_fool_the_images_that_they_fool_one_after_the_other() -> None:
    """The searches of an image end with its first success, so they take hardly more gradients."""
    x, y, numbers = right_images(60)
    with evaluating(network()):
        probe, stage = Probe(network()), ApgdTargeted(9)
        left = torch.ones_like(y, dtype=torch.bool)
        for part in range(9):
            left[left.clone()] = ~stage.attack(
                probe, x[left], y[left], numbers[left], THREAT, 0, range(part, part + 1)
            )[0]
        one_by_one, probe = probe.gradients, Probe(network())
        fooled, _ = stage.attack(probe, x, y, numbers, THREAT, 0, range(9))
    assert torch.equal(fooled, ~left)
    assert 3 < int(fooled.sum()) < 57
    assert probe.gradients < 1.5 * one_by_one


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_a_saturated_network_loses_the_same_images(dtype: torch.dtype | None) -> None:
    attacks, data = [(Threat(0.1), QUICK)], digit_images().first(60)
    plain, large = (Evaluation(model, data, attacks, 0, dtype) for model in (trained_digits(), rescaled(4, 1000)))
    before, after = plain.run()[0], large.run()[0]
    assert 0.1 < before.robust < 0.9
    assert int((plain.survivors[0] != large.survivors[0]).sum()) <= 1
    assert after.clean == before.clean


class BlindInLowPrecision(nn.Module):
    """Class 1 wins over class 0 if both pixels grow. Low precision sees only the first pixel."""

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.flatten(1).float().unbind(1)
        if F.linear(x.flatten(1), torch.eye(2)).dtype == torch.bfloat16:  # under autocast
            second = torch.zeros_like(second)
        lead = first + second - 1.15  # at most 0.09 in the ball around 0.5, and -0.53 for a blind search
        return torch.stack([torch.zeros_like(lead), lead, lead - 90, lead - 91], 1)


def test_a_search_in_low_precision_that_ends_just_short_of_a_success_goes_on_in_fp32() -> None:
    x, y = torch.full((3, 1, 1, 2), 0.5), torch.zeros(3, dtype=torch.long)
    model = BlindInLowPrecision().eval()
    loss, start = TargetedDlr(y, torch.ones_like(y)), torch.zeros_like(x)
    for dtype in (torch.bfloat16, None):
        fooled, _ = fooled_by_apgd(Probe(model, dtype), x, y, start, loss, THREAT, 100)
        assert fooled.all(), dtype


def test_an_image_that_is_fooled_is_confirmed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while it stays in the batch. Low precision and fp32 agree on all images here."""
    monkeypatch.setattr("engine.attacks.apgd.COMPACT_FRACTION", 2.0)  # no image leaves the batch
    monkeypatch.setattr("engine.attacks.apgd._finish", lambda probe, state, threat: torch.zeros_like(state.given_up))
    model, (_, _, images, labels) = trained_digits(), digits()
    x, y, confirmed, original = images[:60], labels[:60], [], Probe.fooled
    monkeypatch.setattr(Probe, "fooled", lambda probe, x, y: confirmed.append(len(y)) or original(probe, x, y))
    with evaluating(model):
        probe = Probe(model, torch.bfloat16)
        start = torch.zeros_like(x)
        loss = CrossEntropy.at(probe.logits(x), y)
        found, _ = fooled_by_apgd(probe, x, y, start, loss, THREAT, 20)
    assert 10 < found.sum() < 50
    assert sum(confirmed[:-2]) <= int(found.sum()) + 3  # the last two calls look at all images


def test_a_network_in_train_mode_is_refused() -> None:
    for layer in (nn.Dropout(0.5), nn.BatchNorm2d(1)):
        with pytest.raises(ValueError, match="train mode"):
            Probe(nn.Sequential(layer, nn.Flatten()))
        Probe(nn.Sequential(layer, nn.Flatten()).eval())
