"""The l2 threat model: perturbations stay in ball and box, steps have the length alpha, and noise fills the ball."""

from functools import cache

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.attacks.threat import Threat
from engine.config.norms import BOTH, Norm
from engine.data.memory.batches import TestImages
from engine.evaluation.evaluation import Evaluation
from engine.evaluation.settings import build_attack
from tests.support.networks import digits, trained_digits

PIXEL = st.sampled_from([0.0, 1.0]) | st.floats(0, 1, width=32)
EPS = st.floats(0, 4, width=32)


def length(delta: Tensor) -> list[float]:
    """The Euclidean length of each image's perturbation, pixel by pixel in Python."""
    return [sum(value**2 for value in image.flatten().tolist()) ** 0.5 for image in delta]


def assert_allowed(x: Tensor, delta: Tensor, eps: float) -> None:
    assert max(length(delta)) <= eps * (1 + 1e-6) + 1e-44  # lengths below 1e-38 have too few digits in float32
    assert (x + delta).min() >= 0
    assert (x + delta).max() <= 1


@given(EPS, st.lists(st.tuples(PIXEL, st.floats(-1e6, 1e6, width=32)), min_size=1, max_size=9))
@example(0.0, [(0.0, 1.0), (1.0, -1.0)])
@example(1.0, [(0.5, 0.0), (0.5, 0.0)])
@example(0.5, [(0.5, 1e-30), (0.5, 0.0)])
def test_projection_scales_into_the_ball_and_then_clips_to_the_box(
    eps: float, pairs: list[tuple[float, float]]
) -> None:
    x, delta = (torch.tensor(column).view(1, 1, 1, -1) for column in zip(*pairs, strict=True))
    found = Threat(eps, "l2").project(x, delta)
    assert_allowed(x, found, eps)
    factor = min(1.0, eps / (length(delta)[0] or 1.0))
    for pixel, d, got in zip(x.flatten().tolist(), delta.flatten().tolist(), found.flatten().tolist(), strict=True):
        assert got == pytest.approx(min(max(factor * d, -pixel), 1 - pixel), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1.0, 1e30, float("inf")])
def test_a_step_has_the_direction_of_the_gradient_and_the_length_alpha(scale: float) -> None:
    """Each image's gradient may be scaled by any positive number: the step is the same. Zero gives no step."""
    x = torch.full((3, 1, 1, 2), 0.5)
    gradient = torch.tensor([[3.0, -4.0], [0.0, 0.0], [0.0, 1.0]]).view_as(x)
    if scale == float("inf"):
        gradient = torch.tensor([[scale, 0.0], [0.0, 0.0], [0.0, scale]]).view_as(x)
    expected = [[0.12, -0.16] if scale < 1e38 else [0.2, 0.0], [0.0, 0.0], [0.0, 0.2]]
    scaled = gradient * scale if scale < 1e38 else gradient
    found = Threat(0.4, "l2").step(x, torch.zeros_like(x), scaled, 0.2)
    torch.testing.assert_close(found.view(3, 2), torch.tensor(expected), rtol=1e-4, atol=1e-6)


def test_uniform_noise_fills_the_ball_as_evenly_as_its_volume() -> None:
    """In d dimensions, the radius r of a uniform point has P(r <= s eps) = s^d. The mean of its square is d / (d+2)."""
    x, rng = torch.full((4000, 1, 1, 3), 0.5), torch.Generator().manual_seed(0)
    noise = Threat(0.4, "l2").uniform(x, rng, in_box=False)
    images = torch.arange(4000)
    start = Threat(0.4, "l2").image_start(x, images, seed=7, restart=1)
    for found in (noise, start):
        radius = torch.tensor(length(found)) / 0.4
        assert radius.max() <= 1 + 1e-6
        for s in (0.3, 0.5, 0.8, 0.95):
            assert (radius <= s).float().mean() == pytest.approx(s**3, abs=0.025)
        assert (radius**2).mean() == pytest.approx(3 / 5, abs=0.02)
        assert found.mean((0, 1, 2)).abs().max() < 0.01  # no direction is preferred
        covariance = found.view(-1, 3).T.cov() * 5 / 0.4**2
        torch.testing.assert_close(covariance, torch.eye(3), atol=0.08, rtol=0)
    wide = Threat(0.4, "l2").uniform(x, rng, in_box=False, scale=2.0)
    assert 0.79 < max(length(wide)) <= 0.8 * (1 + 1e-6)
    assert_allowed(torch.zeros_like(x), Threat(0.4, "l2").uniform(torch.zeros_like(x), rng), 0.4)


def test_the_start_of_an_image_does_not_depend_on_its_batch() -> None:
    x = torch.rand(50, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    images = torch.arange(50) * 11
    threat = Threat(0.7, "l2")
    whole = threat.image_start(x, images, seed=1, restart=2)
    for size in (1, 7, 49):
        parts = zip(x.split(size), images.split(size), strict=True)
        assert torch.equal(torch.cat([threat.image_start(part, ids, 1, 2) for part, ids in parts]), whole)
    assert not torch.equal(whole, threat.image_start(x, images, seed=1, restart=3))


@cache
def trained() -> nn.Module:
    return trained_digits()


class Recorder(nn.Module):
    """A network that notes all images that it is asked about."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.seen = model, list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().clone())
        logits: Tensor = self.model(x)
        return logits


@pytest.mark.parametrize("name", ["pgd-6-2", "apgd-ce", "aa-quick"])
@pytest.mark.parametrize("norm", BOTH)
def test_every_iterate_of_an_evaluation_attack_stays_in_ball_and_box(norm: Norm, name: str) -> None:
    _, _, images, labels = digits()
    data = TestImages((images * 255).round().byte().permute(0, 2, 3, 1), labels).first(10)
    x, _ = data[torch.arange(10)]
    eps = 0.1 if norm == "linf" else 0.6
    recorder = Recorder(trained())
    Evaluation(recorder, data, [(Threat(eps, norm), build_attack(name, eps / 4, 10))], 0).run()
    seen = torch.cat(recorder.seen)
    p, exact = float("inf") if norm == "linf" else 2.0, "donot_use_mm_for_euclid_dist"
    nearest = torch.cdist(seen.double().flatten(1), x.double().flatten(1), p=p, compute_mode=exact).amin(1)
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert nearest.max() <= eps * (1 + 1e-6)
    assert nearest.max() > 0.9 * eps
