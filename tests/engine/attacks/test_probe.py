"""The attack's gradients do not depend on the scale of the logits, nor on numbers that low precision lacks."""

import copy
from functools import cache
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.attacks.objectives import loss_gradient
from engine.attacks.pgd import Pgd
from engine.attacks.probe import Probe, misclassified
from engine.attacks.threat import Threat
from engine.data.memory.batches import TestImages
from engine.data.memory.datasets import open_arrays
from engine.evaluation.evaluation import Accuracy, Evaluation
from engine.runtime.eval_mode import evaluating
from tests.support.networks import CPU, digits, trained_digits

PRECISIONS = [None, torch.bfloat16, torch.float16]
PGD = Pgd(10, 1, 0.03)
EPS = 0.1


@cache
def network() -> nn.Module:
    return trained_digits()


@cache
def digit_images() -> TestImages:
    labels = digits()[3]
    return TestImages.load(open_arrays("digits", "").test_images, labels.numpy(), CPU)


def layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def rescaled(first: int, factor: float) -> nn.Module:
    """The network with one layer scaled and the later biases to match: it multiplies its logits by the factor.

    first: number of the layer that is scaled. A network of ReLU layers allows this.
    """
    model = copy.deepcopy(network())
    with torch.no_grad():
        layers(model)[first].weight *= factor
        for layer in layers(model)[first:]:
            assert layer.bias is not None
            layer.bias *= factor
    return model


def attacked(model: nn.Module, dtype: torch.dtype | None = None) -> Accuracy:
    return Evaluation(model, digit_images(), [(Threat(EPS), PGD)], 0, dtype).run()[0]


def clean_predictions(model: nn.Module) -> Tensor:
    with torch.no_grad(), evaluating(model):
        found: Tensor = model(digits()[2]).argmax(1)
    return found


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize(
    ("layer", "factor"), [(-1, 1e-6), (-1, 1e-2), (-1, 1e2), (-1, 1e6), (2, 50), (0, 50), (1, 1e-4)]
)
def test_a_network_that_multiplies_its_logits_is_as_robust_as_before(
    layer: int, factor: float, dtype: torch.dtype | None
) -> None:
    model = rescaled(layer % 5, factor)
    assert torch.equal(clean_predictions(model), clean_predictions(network()))
    before, after = attacked(network()), attacked(model, dtype)
    assert 0.1 < before.robust < 0.9
    assert after.clean == before.clean
    assert after.robust == pytest.approx(before.robust, abs=0.01)


def test_the_gradient_is_that_of_the_cross_entropy_of_rescaled_logits() -> None:
    rng = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(50, 7, generator=rng)).double().requires_grad_()
    y = torch.randint(7, (50,), generator=rng)
    scale = 5 / logits.detach().std(1, correction=0, keepdim=True)
    F.cross_entropy(logits * scale, y, reduction="sum").backward()
    assert logits.grad is not None
    mine = loss_gradient(logits.detach(), y)
    torch.testing.assert_close(F.normalize(mine), F.normalize(logits.grad), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1.0, 1e5, 1e30])
def test_the_gradient_does_not_depend_on_the_scale_of_the_logits(factor: float) -> None:
    logits = torch.randn(20, 10, generator=torch.Generator().manual_seed(1))
    y = torch.arange(20) % 10
    expected = loss_gradient(logits, y)
    torch.testing.assert_close(loss_gradient(logits * factor, y), expected, rtol=1e-4, atol=1e-6)
    assert (expected.abs().amax(1) == 1).all()


@pytest.mark.parametrize("value", [0.0, 3.0, -1e30])
def test_logits_that_are_all_equal_lower_the_label_and_raise_the_other_classes(value: float) -> None:
    found = loss_gradient(torch.full((1, 5), value), torch.tensor([2]))
    torch.testing.assert_close(found[0], torch.tensor([0.25, 0.25, -1, 0.25, 0.25]).double())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_logits_that_are_not_finite_count_as_wrong(value: float) -> None:
    logits = torch.eye(3)
    logits[1, 1], logits[2, 0] = value, value
    assert misclassified(logits, torch.arange(3)).tolist() == [False, True, True]


class NanBeyond(nn.Module):
    """Classifies every image as class 0, and answers with NaN where the first pixel exceeds 0.72."""

    def forward(self, x: Tensor) -> Tensor:
        pixel = x[:, 0, 0, 0]
        return torch.stack((1 + 0 * pixel, 0.1 * pixel.masked_fill(pixel > 0.72, torch.nan)), 1)


def test_images_for_which_the_network_answers_nan_are_not_counted_as_robust() -> None:
    pixels = torch.linspace(0, 255, 16).round().byte().view(16, 1, 1, 1)
    data = TestImages.load(pixels.numpy(), torch.zeros(16, dtype=torch.int64).numpy(), CPU)
    found = Evaluation(NanBeyond(), data, [(Threat(0.1), Pgd(5, 1, 0.05))], 0).run()[0]
    assert found.clean == 11 / 16
    assert found.robust == 10 / 16  # the attack moves 0.667 beyond 0.72, and 0.6 not


class Quantised(nn.Module):
    """A network behind a step function: no gradient reaches the images."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.inner = model

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.inner((x * 16).round() / 16)
        return found


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_images_whose_gradient_is_zero_are_counted(dtype: torch.dtype | None) -> None:
    assert attacked(network(), dtype).without_gradient == 0
    masked = attacked(Quantised(network()), dtype)
    assert masked.without_gradient == round(masked.robust * masked.images) > 100


@pytest.mark.parametrize("factor", [1e-5, 1e-30])  # fp16 has few numbers, or none, that are as small as the weights
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_search_in_low_precision_goes_on_in_fp32_where_the_logits_differ(dtype: torch.dtype, factor: float) -> None:
    images, labels = digits()[2][:20], digits()[3][:20]
    usual, small = Probe(network().eval(), dtype), Probe(rescaled(4, factor).eval(), dtype)
    for probe in (usual, small):
        probe.fooled_and_gradient(images.clone(), labels)
    assert usual.dtype == dtype
    assert small.dtype == (torch.bfloat16 if dtype == torch.bfloat16 else None)  # bf16 has the exponents of fp32


def wide_network(exponent: int) -> nn.Module:
    """An untrained network with small weights, whose logits are multiplied by 2**exponent."""
    torch.manual_seed(0)
    widths = [64, 1024, 1024, 10]
    parts = [part for inner, outer in pairwise(widths) for part in (nn.Linear(inner, outer), nn.ReLU())]
    model = nn.Sequential(nn.Flatten(), *parts[:-1])
    for parameter in model[-1].parameters():
        parameter.data *= 2.0**exponent
    return model.eval().requires_grad_(False)


def test_small_logits_cost_the_gradients_in_fp16_no_digits() -> None:
    images, labels = digits()[2][:200], digits()[3][:200]

    def agreement(model: nn.Module) -> float:
        """The share of pixels whose gradient has the sign that it has in fp32."""
        exact, rounded = (Probe(model, dtype) for dtype in (None, torch.float16))
        signs = [probe.fooled_and_gradient(images.clone(), labels)[1].sign() for probe in (exact, rounded)]
        assert rounded.dtype == torch.float16
        return float((signs[0] == signs[1]).float().mean())

    assert agreement(wide_network(-12)) > agreement(wide_network(0)) - 0.004
