"""The learner in low precision: overflows, updates near those in fp32, and signs of gradients."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.datasets import datasets
from engine.config.sections import ModelConfig, OptimConfig
from engine.models.build import build_network
from engine.training.learner import Learner
from tests.support.networks import CPU, digits, make_learner, trained_digits

SIGNS_AGREE = 0.95


@pytest.fixture
def x() -> Tensor:
    return digits()[0][:16].clone()


@pytest.fixture
def y() -> Tensor:
    return digits()[1][:16].clone()


def test_fp16_skips_an_update_whose_gradients_overflow(x: Tensor, y: Tensor) -> None:
    learner = make_learner(precision="fp16")
    before = copy.deepcopy(learner.model.state_dict())
    learner.scaler.load_state_dict(learner.scaler.state_dict() | {"scale": 1e38})
    learner.update(x, y)
    assert all(torch.equal(before[name], value) for name, value in learner.model.state_dict().items())
    assert learner.scaler.get_scale() == pytest.approx(1e38 / 2)
    assert (learner.step, learner.scaler.skipped_updates()) == (1, 1)
    other = make_learner(precision="fp16")
    other.load_state_dict(learner.state_dict())
    assert other.scaler.skipped_updates() == 1


def test_input_gradients_that_overflow_alone_lower_the_scale_of_fp16(x: Tensor, y: Tensor) -> None:
    """A first layer with large weights: its input gradient overflows in fp16, and the gradient of its weights not."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        model[1].weight.mul_(3e3)
    learner = make_learner(model, precision="fp16", lr=1e-9)
    scales, finite = [learner.scaler.scale(torch.ones(())).item()], []
    for _ in range(20):
        gradient, _ = learner.input_grad(0.1 * x, y)
        finite.append(bool(gradient.isfinite().all()))
        learner.update(0.1 * x, y)
        scales.append(learner.scaler.get_scale())
    fell = finite.index(True)
    assert 1 < fell < 15
    assert scales[: fell + 1] == [scales[0] / 2**n for n in range(fell + 1)]
    assert {*scales[fell:]} == {scales[fell]}
    assert learner.scaler.skipped_updates() == 0  # the gradients of the weights were finite all the time


def test_free_training_sees_input_gradients_that_overflow_too(x: Tensor, y: Tensor) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        model[1].weight.mul_(3e3)
    learner = make_learner(model, precision="fp16", lr=1e-9)
    gradient = learner.update(0.1 * x, y, input_grad=True)
    assert gradient is not None
    assert not gradient.isfinite().all()
    assert (learner.scaler.get_scale(), learner.scaler.skipped_updates()) == (2.0**15, 0)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_an_update_in_low_precision_is_near_the_update_in_fp32(x: Tensor, y: Tensor, precision: str) -> None:
    exact, rough = make_learner(), make_learner(precision=precision)
    start = [p.detach().clone() for p in exact.model.parameters()]
    for learner in (exact, rough):
        learner.update(x, y)
    moved = torch.cat([(p - s).flatten() for p, s in zip(exact.model.parameters(), start, strict=True)])
    roughly = torch.cat([(p - s).flatten() for p, s in zip(rough.model.parameters(), start, strict=True)])
    assert F.cosine_similarity(moved, roughly, dim=0) > 0.99
    assert rough.logits(x).dtype == torch.float32


def _trained(name: str) -> nn.Module:
    if name == "digits-cnn":
        return trained_digits()
    torch.manual_seed(0)
    learner = make_learner(
        build_network(ModelConfig(name="preact-resnet18", width=4, depth=1), datasets()["digits"].facts)
    )
    images, labels, _, _ = digits()
    for _ in range(40):
        chosen = torch.randint(len(images), (64,))
        learner.update(images[chosen], labels[chosen])
    return learner.model


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("digits-cnn", "bf16"),
        ("digits-cnn", "fp16"),
        ("preact-resnet18", "bf16"),
        ("preact-resnet18", "fp16"),
    ],
)
def test_low_precision_gradients_have_the_signs_of_fp32(name: str, precision: str) -> None:
    model = _trained(name)
    images, labels, _, _ = digits()

    def signs(precision: str) -> Tensor:
        learner = Learner(copy.deepcopy(model), OptimConfig(), lambda step: 0.1, CPU, precision)
        return learner.input_grad(images[:200], labels[:200])[0].sign()

    exact = signs("fp32")
    not_zero = exact != 0
    assert not_zero.float().mean() > 0.95  # nearly every pixel is compared
    assert (signs(precision) == exact)[not_zero].float().mean() >= SIGNS_AGREE


@pytest.mark.parametrize(("before", "now", "fused"), [("fp32", "fp16", False), ("fp16", "fp32", True)])
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_resumed_training_keeps_the_kernels_of_its_own_precision(
    x: Tensor, y: Tensor, name: str, before: str, now: str, fused: bool
) -> None:
    """In fp16 a fused kernel would write momentum in an update that must be skipped."""
    saved, learner = (make_learner(precision=precision, name=name, lr=0.01) for precision in (before, now))
    saved.update(x, y)
    learner.load_state_dict(saved.state_dict())
    (group,) = learner.optimizer.param_groups
    assert (bool(group["fused"]), bool(group["foreach"])) == (fused, not fused)
    weights = [p.detach().clone() for p in learner.model.parameters()]
    learner.update(x, y)
    assert any(not torch.equal(p, old) for p, old in zip(learner.model.parameters(), weights, strict=True))
    assert learner.finite()
