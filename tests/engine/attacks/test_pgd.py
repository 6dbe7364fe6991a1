"""The threat model, checked pixel by pixel. PGD agrees with a textbook loop that attacks each image alone."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.attacks.pgd import Pgd, fooled_by_restart
from engine.attacks.pgd_search import CYCLE, rounded_size
from engine.attacks.probe import Probe
from engine.attacks.threat import Threat
from engine.runtime.eval_mode import evaluating, frozen
from engine.runtime.rng import image_noise
from tests.support.networks import InDouble, digits, digits_model, trained_digits
from tests.support.operations import Operations
from tests.support.textbook_pgd import textbook

UNIT = st.floats(0, 1, width=32)


@given(UNIT, st.lists(st.tuples(UNIT, st.floats(-3, 3, width=32)), min_size=1, max_size=9))
@example(0.0, [(0.0, 1.0), (1.0, -1.0), (1.0, 1.0)])
@example(1.0, [(0.0, -1.0), (1.0, 1.0), (0.5, 3.0)])
def test_projection_gives_the_nearest_perturbation_in_ball_and_image_range(
    eps: float, pairs: list[tuple[float, float]]
) -> None:
    x, delta = (torch.tensor(column).view(1, 1, 1, -1) for column in zip(*pairs, strict=True))
    found = Threat(eps).project(x, delta)
    for pixel, d, got in zip(x.flatten().tolist(), delta.flatten().tolist(), found.flatten().tolist(), strict=True):
        nearest = min(max(d, -eps, -pixel), eps, 1 - pixel)
        assert got == pytest.approx(nearest, abs=1e-7)
    assert (x + found).min() >= 0
    assert (x + found).max() <= 1
    assert torch.equal(Threat(eps).project(x, found), found)


def test_an_attack_step_follows_the_sign_of_the_gradient_and_stays_where_it_is_zero() -> None:
    x = torch.tensor([0.5, 0.5, 0.5, 0.05, 0.5]).view(1, 1, 1, 5)
    gradient = torch.tensor([1e-20, -7.0, 0.0, -1.0, 1.0]).view_as(x)
    start = torch.tensor([0.0, 0.0, 0.02, 0.0, 0.08]).view_as(x)
    found = Threat(0.1).step(x, start, gradient, 0.07)
    torch.testing.assert_close(found, torch.tensor([0.07, -0.07, 0.02, -0.05, 0.1]).view_as(x))


def test_uniform_noise_fills_the_ball_and_stays_in_the_image_range_if_asked() -> None:
    x, rng = torch.zeros(20, 1, 30, 30), torch.Generator().manual_seed(0)
    free = Threat(0.3).uniform(x, rng, in_box=False)
    assert -0.3 <= free.min() < -0.29
    assert 0.29 < free.max() <= 0.3
    assert abs(free.mean()) < 0.01
    boxed = Threat(0.3).uniform(x, rng)
    assert boxed.min() == 0
    assert (boxed == 0).float().mean() == pytest.approx(0.5, abs=0.02)


def test_the_name_of_pgd_says_its_steps_and_its_restarts_if_there_are_several() -> None:
    assert Pgd(50, 10, 0.1).name == "pgd-50-10"
    assert Pgd(10, 1, 0.1).name == "pgd-10"


@cache
def robust_in_double() -> nn.Module:
    return InDouble(trained_digits())


def test_pgd_fools_the_images_that_the_textbook_fools() -> None:
    """In float64 no sign depends on the order of a sum, so the masks must be equal."""
    model, (_, _, images, labels) = robust_in_double(), digits()
    x, y, numbers = images[:50], labels[:50], torch.arange(50) * 7
    attack = Pgd(4, 2, 0.04)
    expected = torch.tensor(
        [textbook(model, x[n : n + 1], y[n : n + 1], int(numbers[n]), 0.1, attack, seed=5) for n in range(50)]
    )
    with evaluating(model):
        found = [
            fooled_by_restart(Probe(model), x, y, numbers, Threat(0.1), attack, 5, restart)[0] for restart in (0, 1)
        ]
    assert torch.equal(torch.stack(found, 1), expected)
    assert 5 < expected[:, 0].sum() < 45  # the attack fools some images, and not all


def test_pgd_that_leaves_out_cycles_fools_the_images_that_the_textbook_fools_in_all_its_steps() -> None:
    model, (_, _, images, labels), attack = robust_in_double(), digits(), Pgd(40, 1, 0.04)
    x, y, numbers = images[:40], labels[:40], torch.arange(40)
    expected = [textbook(model, x[n : n + 1], y[n : n + 1], n, 0.1, attack, seed=3)[0] for n in range(40)]
    with evaluating(model):
        probe = Probe(model)
        found, _ = fooled_by_restart(probe, x, y, numbers, Threat(0.1), attack, 3, 0)
    assert found.tolist() == expected
    assert 5 < found.sum() < 35
    assert probe.gradients < 0.8 * 40 * int((~found).sum())


class Valley(nn.Module):
    """A network for images of one pixel, always right: its loss is highest at 0.5, where the signs of PGD alternate."""

    def forward(self, x: Tensor) -> Tensor:
        pixel = x.flatten()
        return torch.stack((1 + (pixel - 0.5).abs(), torch.zeros_like(pixel)), 1)


@pytest.mark.parametrize(("eps", "size"), [(0.5, 0.125), (0.125, 0.25)])  # a cycle in the ball, and at its border
def test_pgd_ends_soon_after_it_comes_back_to_an_iterate(eps: float, size: float) -> None:
    x, y = torch.full((3, 1, 1, 1), 0.5), torch.zeros(3, dtype=torch.int64)
    probe = Probe(Valley())
    fooled, unmoved = fooled_by_restart(probe, x, y, torch.arange(3), Threat(eps), Pgd(100, 1, size), 0, 0)
    assert not fooled.any()
    assert not unmoved.any()
    assert probe.gradients <= 3 * (0.5 / size + 2 * CYCLE)


@pytest.mark.parametrize("images", [*range(1, 70), 127, 128, 129, 250, 1000])
def test_the_size_of_a_batch_is_one_of_few_and_little_above_the_number_of_its_images(images: int) -> None:
    assert images <= rounded_size(images) <= max(1.25 * images, images + 3)
    assert len({rounded_size(n) for n in range(1, 257)}) <= 20


class Blind(nn.Module):
    """A network that in low precision has no gradient at every second iterate, as if it were rounded to zero."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.inner = model

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x)
        blind = (x.detach().flatten(1).sum(1) * 8).round() % 2 == torch.zeros(len(x))  # `len`: torch.fx cannot trace it
        return torch.where(blind[:, None], logits.detach(), logits) if logits.dtype == torch.bfloat16 else logits


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
@pytest.mark.parametrize("wrapped", [nn.Identity, Blind])
def test_the_results_do_not_depend_on_how_often_the_device_is_asked(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype | None, wrapped: Callable[[nn.Module], nn.Module]
) -> None:
    """Where nothing depends on the batch: each image is attacked alone."""
    network, (_, _, images, labels) = trained_digits(), digits()
    model = network if wrapped is nn.Identity else wrapped(network)

    def attacked() -> list[list[bool]]:
        found = []
        for n in range(30):
            parts = images[n : n + 1], labels[n : n + 1], torch.tensor([n])
            masks = fooled_by_restart(Probe(model, dtype), *parts, Threat(0.1), Pgd(13, 1, 0.04), 0, 0)
            found.append([bool(mask) for mask in masks])
        return found

    with evaluating(model):
        one_by_one = attacked()
        monkeypatch.setattr("engine.attacks.pgd.ASK_EVERY", {"cpu": 5})
        assert attacked() == one_by_one
    assert 5 < sum(fooled for fooled, _ in one_by_one) < 25


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_the_host_waits_for_the_device_once_or_twice_in_five_steps(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype | None
) -> None:
    monkeypatch.setattr("engine.attacks.pgd.ASK_EVERY", {"cpu": 5})
    model, (_, _, images, labels) = trained_digits(), digits()
    with evaluating(model):
        probe = Probe(model, dtype)
        easy = ~probe.fooled(images[:60], labels[:60])
        x, y = images[:60][easy], labels[:60][easy]
        probe.fooled_and_gradient(x, y)
        with Operations() as operations:
            fooled, _ = fooled_by_restart(probe, x, y, torch.arange(len(y)), Threat(1e-3), Pgd(50, 1, 1e-5), 0, 0)
    assert not fooled.any()
    assert operations.waits.total() <= 10 * (1 if dtype is None else 1 + 6)  # tolist reads six flags, one by one


@pytest.mark.parametrize("every", [1, 5])
def test_an_image_that_is_fooled_is_confirmed_once(monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    """Low precision and fp32 agree on all images here, so each fooled image needs one look in fp32."""
    monkeypatch.setattr("engine.attacks.pgd.ASK_EVERY", {"cpu": every})
    model, (_, _, images, labels) = trained_digits(), digits()
    x, y, confirmed = images[:100], labels[:100], []
    original = Probe.fooled
    monkeypatch.setattr(Probe, "fooled", lambda probe, x, y: confirmed.append(len(y)) or original(probe, x, y))
    with evaluating(model):
        probe = Probe(model, torch.bfloat16)
        found, _ = fooled_by_restart(probe, x, y, torch.arange(100), Threat(0.1), Pgd(10, 1, 0.04), 0, 0)
    assert 10 < found.sum() < 90
    assert sum(confirmed[:-1]) <= int(found.sum()) + 5  # the last call looks at all images that are left


def test_pgd_in_float32_fools_the_same_images_in_any_batch_but_for_ties() -> None:
    model, (_, _, images, labels) = trained_digits(), digits()
    numbers = torch.arange(360)

    def attacked(size: int) -> Tensor:
        parts = [
            fooled_by_restart(Probe(model), images[n], labels[n], n, Threat(0.1), Pgd(5, 1, 0.04), 0, 0)[0]
            for n in numbers.split(size)
        ]
        return torch.cat(parts)

    with evaluating(model):
        assert (attacked(360) != attacked(13)).sum() <= 2


class Band(nn.Module):
    """A network for images of one pixel: class 1 in a narrow band of values, class 0 elsewhere.

    The loss rises with the pixel.
    """

    def forward(self, x: Tensor) -> Tensor:
        pixel = x.flatten()
        inside = ((pixel.detach() - 0.62).abs() < 0.03).float()
        return torch.stack((torch.zeros_like(pixel), -1 + 0.001 * pixel + 5 * inside), 1)


@pytest.mark.parametrize(("steps", "fooled"), [(1, False), (2, True), (6, True)])
def test_an_image_counts_as_fooled_if_any_step_of_pgd_fools_the_network(steps: int, fooled: bool) -> None:
    """From 0.5 by 0.06: 0.56, 0.62 (fooled), 0.68, ... 0.8: the last iterate is classified correctly again."""
    x, y = torch.full((1, 1, 1, 1), 0.5), torch.tensor([0])
    seed = next(n for n in range(10**5) if abs(float(image_noise(n, 0, torch.tensor([0]), x.shape[1:]))) < 0.01)
    mask = fooled_by_restart(Probe(Band()), x, y, torch.tensor([0]), Threat(0.3), Pgd(steps, 1, 0.06), seed, 0)[0]
    assert mask.tolist() == [fooled]
    assert not Band()(torch.full((1, 1, 1, 1), 0.8)).argmax(1).any()


def test_an_image_counts_as_fooled_if_the_random_start_alone_fools_the_network() -> None:
    x, y = torch.full((1, 1, 1, 1), 0.62), torch.tensor([0])
    assert fooled_by_restart(Probe(Band()), x, y, torch.tensor([0]), Threat(0.0), Pgd(1, 1, 0.1), 0, 0)[0].all()


def test_an_attack_changes_neither_images_nor_parameters() -> None:
    model, (_, _, images, labels) = digits_model(), digits()
    before = images[:20].clone()
    x = images[:20]
    with evaluating(model):
        fooled_by_restart(Probe(model), x, labels[:20], torch.arange(20), Threat(0.2), Pgd(3, 1, 0.1), 0, 0)
    assert torch.equal(x, before)
    assert not x.requires_grad
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_evaluation_turns_tf32_off_and_training_gets_it_back() -> None:
    model = nn.Linear(1, 1)
    assert torch.backends.cudnn.allow_tf32  # torch's own choice, for training
    with evaluating(model):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32


def test_a_model_gets_its_mode_and_requires_grad_back_even_after_an_error() -> None:
    model = digits_model()
    model[1][0].bias.requires_grad_(False)
    before = [p.requires_grad for p in model.parameters()]
    with pytest.raises(RuntimeError), evaluating(model):
        assert not model.training
        assert not any(p.requires_grad for p in model.parameters())
        raise RuntimeError
    assert model.training
    with frozen(model):
        pass
    assert [p.requires_grad for p in model.parameters()] == before
    with evaluating(model.eval()):
        pass
    assert not model.training
