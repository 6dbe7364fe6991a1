"""The training methods against the steps of the papers, written out slowly."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.attacks import Threat
from engine.config import OptimConfig
from engine.learner import AVERAGE_DECAY, Learner
from engine.methods import METHODS, SIGNALLING
from engine.streams import generator

CPU = torch.device("cpu")
LR, TOTAL = 0.1, 10


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def learner_of(model: nn.Module, **optim: Any) -> Learner:
    chosen = {"name": "sgd", "lr": LR, "schedule": "constant", "momentum": 0.0, "weight_decay": 0.0, **optim}
    return Learner(model, OptimConfig(**chosen), TOTAL, CPU, "fp32")


def images(count: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    x = torch.rand(count, 1, 4, 4, generator=rng)
    x[:, :, 0], x[:, :, 1] = 0.0, 1.0  # pixels at both ends of the box
    return x, torch.randint(0, 3, (count,), generator=rng)


def slow_projection(x: Tensor, delta: Tensor, eps: float) -> Tensor:
    """Pixel by pixel: into the ball, then so that the image stays in the box."""
    flat, out = x.flatten(), delta.clone().flatten()
    for i in range(len(flat)):
        ball = min(max(out[i].item(), -eps), eps)
        out[i] = min(max(flat[i].item() + ball, 0.0), 1.0) - flat[i].item()
    return out.view_as(x)


def slow_gradients(model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
    """A full backward pass of the mean loss: gradients of the input and of every parameter, losses of the examples."""
    x = x.clone().requires_grad_()
    losses = F.cross_entropy(model(x), y, reduction="none")
    grads = torch.autograd.grad(losses.mean(), [x, *model.parameters()])
    return grads[0], list(grads[1:]), losses.detach()


def slow_update(model: nn.Module, grads: list[Tensor]) -> None:
    with torch.no_grad():
        for parameter, gradient in zip(model.parameters(), grads, strict=True):
            parameter -= LR * gradient


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize(("init", "in_box"), [("random", True), ("random", False), ("zero", True), ("previous", True)])
def test_fgsm_is_the_hand_written_step(init: str, in_box: bool) -> None:
    eps, alpha = 0.1, 0.125
    (x, y), before = images(), torch.full((5, 1, 4, 4), 0.05)
    model = network()
    reference = copy.deepcopy(model)
    learner = learner_of(model)
    delta = METHODS["fgsm"](
        learner, x, y, before, Threat(eps), generator(CPU, 1), alpha=alpha, init=init, start_in_box=in_box
    )

    noise = torch.empty_like(x).uniform_(-eps, eps, generator=generator(CPU, 1))
    start = {"random": noise, "zero": torch.zeros_like(x), "previous": before}[init]
    start = slow_projection(x, start, eps) if in_box else start
    gradient, _, losses_before = slow_gradients(reference, x + start, y)
    expected = slow_projection(x, start + alpha * gradient.sign(), eps)
    torch.testing.assert_close(delta, expected)
    _, grads, losses = slow_gradients(reference, x + expected, y)
    slow_update(reference, grads)
    assert_same_weights(model, reference)

    loss, _, signal = learner.figures()
    assert loss == pytest.approx(losses.mean().item(), rel=1e-4)
    assert signal == pytest.approx(sum(a < b for a, b in zip(losses, losses_before, strict=True)) / 5, abs=1e-5)


def test_pgd_is_the_hand_written_loop() -> None:
    eps, alpha, steps = 0.1, 0.04, 4
    x, y = images()
    model = network()
    reference = copy.deepcopy(model)
    delta = METHODS["pgd"](learner_of(model), x, y, None, Threat(eps), generator(CPU, 1), alpha=alpha, steps=steps)
    noise = torch.empty_like(x).uniform_(-eps, eps, generator=generator(CPU, 1))
    expected = slow_projection(x, noise, eps)
    for _ in range(steps):
        gradient, _, _ = slow_gradients(reference, x + expected, y)
        expected = slow_projection(x, expected + alpha * gradient.sign(), eps)
    torch.testing.assert_close(delta, expected)
    slow_update(reference, slow_gradients(reference, x + expected, y)[1])
    assert_same_weights(model, reference)


def test_pgd_restarts_keep_the_worst_of_each_example() -> None:
    x, y = images(16)
    options = {"alpha": 0.02, "steps": 1}
    losses = []
    for restarts in (1, 8):
        model = network().eval()  # without BatchNorm's batch statistics examples do not influence one another
        learner = learner_of(copy.deepcopy(model))
        learner.model.eval()
        delta = METHODS["pgd"](learner, x, y, None, Threat(0.1), generator(CPU, 1), restarts=restarts, **options)
        losses.append(F.cross_entropy(model(x + delta), y, reduction="none"))
    assert (losses[1] >= losses[0] - 1e-6).all()
    assert (losses[1] > losses[0]).any()


def test_free_carries_its_perturbation_over_minibatches() -> None:
    """Two replays of a minibatch, then one of a smaller one: every update is on the carried perturbation."""
    eps = 0.1
    model = network()
    reference = copy.deepcopy(model)
    learner = learner_of(model)
    carried, expected = None, torch.zeros(5, 1, 4, 4)
    (x1, y1), (x2, y2) = images(5), images(3, seed=1)
    for x, y in ((x1, y1), (x1, y1), (x2, y2)):
        carried = METHODS["free"](learner, x, y, carried, Threat(eps), generator(CPU, 1), alpha=eps)
        start = slow_projection(x, expected[: len(x)], eps)
        gradient, grads, _ = slow_gradients(reference, x + start, y)
        slow_update(reference, grads)
        expected = slow_projection(x, start + eps * gradient.sign(), eps)
        torch.testing.assert_close(carried, expected)
        assert_same_weights(model, reference)
    assert learner.step == 3


def test_a_carry_of_a_smaller_minibatch_is_zero_where_there_was_none() -> None:
    (small, ys), (large, yl) = images(3), images(5, seed=1)
    learner = learner_of(network())
    delta = METHODS["free"](learner, small, ys, None, Threat(0.1), generator(CPU, 1), alpha=0.0)
    delta = METHODS["free"](learner, large, yl, delta, Threat(0.1), generator(CPU, 1), alpha=0.0)
    assert delta.shape == large.shape
    assert not delta[3:].any()


def test_standard_trains_on_the_images_as_they_are() -> None:
    x, y = images()
    model = network()
    reference = copy.deepcopy(model)
    METHODS["standard"](learner_of(model), x, y, None, Threat(0.1), generator(CPU, 1))
    slow_update(reference, slow_gradients(reference, x, y)[1])
    assert_same_weights(model, reference)


OPTIONS: dict[str, dict[str, Any]] = {"fgsm": {}, "pgd": {"steps": 2}, "free": {}}


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(sorted(OPTIONS)),
    eps=st.sampled_from([0.0, 2 / 255, 8 / 255, 0.3, 1.0]),
    alpha=st.floats(0, 1),
    seed=st.integers(0, 1000),
    in_box=st.booleans(),
)
def test_every_perturbation_stays_in_ball_and_box(
    method: str, eps: float, alpha: float, seed: int, in_box: bool
) -> None:
    x, y = images(4, seed)
    options = OPTIONS[method] | ({} if method == "free" else {"start_in_box": in_box})
    delta = METHODS[method](
        learner_of(network()), x, y, None, Threat(eps), generator(CPU, seed), alpha=alpha, **options
    )
    assert delta.abs().max() <= eps + 1e-6
    assert (x + delta).min() >= -1e-6
    assert (x + delta).max() <= 1 + 1e-6


def test_input_gradients_leave_the_parameters_alone() -> None:
    x, y = images()
    learner = learner_of(network())
    learner.input_grad(x, y)
    assert all(p.grad is None and p.requires_grad for p in learner.model.parameters())


def test_sgd_is_the_reference_formula_with_weight_decay_on_every_parameter() -> None:
    x, y = images()
    model = network()
    reference = copy.deepcopy(model)
    learner = learner_of(model, momentum=0.9, weight_decay=0.01)
    momenta = [torch.zeros_like(p) for p in reference.parameters()]
    for _ in range(3):
        learner.update(x, y)
        _, grads, _ = slow_gradients(reference, x, y)
        with torch.no_grad():
            for p, gradient, momentum in zip(reference.parameters(), grads, momenta, strict=True):
                momentum.mul_(0.9).add_(gradient + 0.01 * p)
                p -= LR * momentum
    assert_same_weights(model, reference)


def test_figures_are_an_unbiased_moving_average() -> None:
    learner = learner_of(network())
    losses = []
    for seed in range(4):
        x, y = images(seed=seed)
        losses.append(F.cross_entropy(copy.deepcopy(learner.model)(x), y).item())
        learner.update(x, y)
    weights = [AVERAGE_DECAY**age for age in range(len(losses))]
    expected = sum(w * loss for w, loss in zip(weights, reversed(losses), strict=True)) / sum(weights)
    assert learner.figures()[0] == pytest.approx(expected, rel=1e-4)


def test_methods_that_signal_are_methods() -> None:
    assert set(METHODS) >= SIGNALLING
