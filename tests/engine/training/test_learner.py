"""Weight updates and input gradients agree with plain autograd and the formulas of the optimizers."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.datasets import datasets
from engine.config.sections import ModelConfig
from engine.models.build import build_network
from engine.training.observed import AVERAGE_DECAY
from tests.support.networks import digits, digits_model, make_learner


@pytest.fixture
def x() -> Tensor:
    return digits()[0][:16].clone()


@pytest.fixture
def y() -> Tensor:
    return digits()[1][:16].clone()


def plain_gradients(model: nn.Module, x: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Gradients of the mean loss by one full backward pass: of every parameter, and of the images."""
    model.zero_grad()
    x = x.clone().requires_grad_()
    F.cross_entropy(model(x), y).backward()
    assert x.grad is not None
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}, x.grad


def test_the_input_gradient_is_that_of_a_full_backward_pass(x: Tensor, y: Tensor) -> None:
    model = digits_model()
    _, expected = plain_gradients(copy.deepcopy(model), x, y)
    gradient, losses = make_learner(model).input_grad(x, y)
    torch.testing.assert_close(gradient, expected * len(y))
    torch.testing.assert_close(losses, F.cross_entropy(model(x), y, reduction="none"))


def test_the_input_gradient_computes_no_weight_gradient(x: Tensor, y: Tensor) -> None:
    model = digits_model()
    model[1][0].weight.requires_grad_(False)  # frozen before, and still frozen afterwards
    model(x).sum().backward()
    before = {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}
    make_learner(model).input_grad(x, y)
    for name, p in model.named_parameters():
        assert p.requires_grad is (name != "1.0.weight")
        assert (p.grad is None and before[name] is None) or torch.equal(p.grad, before[name])
    assert not x.requires_grad


def test_sgd_with_momentum_and_weight_decay_agrees_with_its_formula_by_hand(x: Tensor, y: Tensor) -> None:
    model, by_hand = digits_model(), digits_model()
    learner = make_learner(model, total_steps=8, schedule="cyclic", lr=0.4, momentum=0.9, weight_decay=0.01)
    momentum: dict[str, Tensor] = {}
    for step, rate in enumerate([0.0, 0.1, 0.2, 0.3, 0.4, 0.3]):
        gradients, _ = plain_gradients(by_hand, x, y)
        with torch.no_grad():
            for name, p in by_hand.named_parameters():
                decayed = gradients[name] + 0.01 * p
                momentum[name] = decayed if step == 0 else 0.9 * momentum[name] + decayed
                p -= rate * momentum[name]
        learner.update(x, y)
        assert learner.last_lr == pytest.approx(rate)
    _same_weights(model, by_hand)
    assert learner.step == 6


def test_adam_agrees_with_its_formula_by_hand(x: Tensor, y: Tensor) -> None:
    model, by_hand = digits_model(), digits_model()
    learner = make_learner(model, name="adam", lr=0.01, weight_decay=0.0)
    first = {name: torch.zeros_like(p) for name, p in by_hand.named_parameters()}
    second = {name: torch.zeros_like(p) for name, p in by_hand.named_parameters()}
    for t in range(1, 4):
        gradients, _ = plain_gradients(by_hand, x, y)
        with torch.no_grad():
            for name, p in by_hand.named_parameters():
                first[name] = 0.9 * first[name] + 0.1 * gradients[name]
                second[name] = 0.999 * second[name] + 0.001 * gradients[name] ** 2
                p -= 0.01 * first[name] / (1 - 0.9**t) / ((second[name] / (1 - 0.999**t)).sqrt() + 1e-8)
        learner.update(x, y)
    _same_weights(model, by_hand, atol=1e-4)


def _same_weights(model: nn.Module, other: nn.Module, atol: float = 1e-5) -> None:
    for (name, p), q in zip(model.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.data, q.data, rtol=1e-3, atol=atol, msg=name)


def test_an_update_returns_the_input_gradient_without_another_pass(x: Tensor, y: Tensor) -> None:
    model = digits_model()
    _, expected = plain_gradients(copy.deepcopy(model), x, y)
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    gradient = make_learner(model).update(x, y, input_grad=True)
    assert gradient is not None
    torch.testing.assert_close(gradient, expected * len(y))
    assert len(calls) == 1
    assert make_learner(model).update(x, y) is None


def test_attack_forwards_move_the_batch_norm_statistics() -> None:
    torch.manual_seed(0)
    config = ModelConfig(name="preact-resnet18", width=2, depth=1)
    learner = make_learner(build_network(config, datasets()["digits"].facts))
    bn = next(module for module in learner.model.modules() if isinstance(module, nn.BatchNorm2d))
    learner.input_grad(torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.long))
    assert int(bn.num_batches_tracked or 0) == 1


def test_loss_and_accuracy_are_shown_as_moving_averages(x: Tensor, y: Tensor) -> None:
    learner = make_learner(lr=0.5)
    before = torch.full((16,), 2.3)
    average = np.zeros(3)
    for step in range(1, 6):
        logits = learner.model(x).detach()
        losses = F.cross_entropy(logits, y, reduction="none")
        now = [losses.mean(), (logits.argmax(1) == y).float().mean(), (losses < 2.3).float().mean()]
        average = AVERAGE_DECAY * average + (1 - AVERAGE_DECAY) * np.array([float(value) for value in now])
        learner.update(x, y, before)
        assert learner.figures() == pytest.approx(average / (1 - AVERAGE_DECAY**step), rel=1e-4)


def test_averaged_weights_agree_with_their_formula_by_hand(x: Tensor, y: Tensor) -> None:
    """The first update is the start of the average."""
    learner = make_learner(average=0.8)
    expected: list[Tensor] = []
    for _ in range(5):
        learner.update(x, y)
        now = [p.detach().clone() for p in learner.model.parameters()]
        expected = [0.8 * p + 0.2 * q for p, q in zip(expected, now, strict=True)] if expected else now
    for p, q in zip(learner.result.parameters(), expected, strict=True):
        torch.testing.assert_close(p.data, q)
    assert learner.result is not learner.model
    assert make_learner().result is not None


OPTIMIZERS = [
    {"name": "sgd"},
    {"name": "sgd", "nesterov": True, "average": 0.9},
    {"name": "adam", "lr": 0.01},
    {"name": "muon", "lr": 0.02, "average": 0.9},
]


@pytest.mark.parametrize("optim", OPTIMIZERS)
def test_a_restored_learner_goes_on_to_the_same_weights(x: Tensor, y: Tensor, optim: dict[str, Any]) -> None:
    learner = make_learner(schedule="cyclic", **optim)
    for _ in range(3):
        learner.update(x, y)
    state = copy.deepcopy(learner.state_dict())
    other = make_learner(digits_model(seed=5), schedule="cyclic", **optim)
    other.load_state_dict(state)
    for one in (learner, other):
        for _ in range(3):
            one.update(x, y)
    for p, q in zip(learner.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(p, q)
    for p, q in zip(learner.result.parameters(), other.result.parameters(), strict=True):
        assert torch.equal(p, q)
    assert learner.figures() == other.figures()
    assert other.step == 6


def test_label_smoothing_is_in_the_training_loss_and_not_in_the_attack(x: Tensor, y: Tensor) -> None:
    model = digits_model()
    smoothed, plain = make_learner(copy.deepcopy(model), label_smoothing=0.4), make_learner(copy.deepcopy(model))
    assert torch.equal(smoothed.input_grad(x, y)[0], plain.input_grad(x, y)[0])
    before = torch.full((16,), 2.3)
    smoothed.update(x, y, before)
    plain.update(x, y, before)
    log_p = model(x).detach().log_softmax(1)
    targets = 0.6 * F.one_hot(y, 10) + 0.4 / 10
    assert smoothed.figures()[0] == pytest.approx(float(-(targets * log_p).sum(1).mean()), rel=1e-5)
    assert smoothed.figures()[1:] == plain.figures()[1:]  # the overfitting signal compares plain losses, too


def test_progress_is_the_fraction_of_the_updates_that_are_done(x: Tensor, y: Tensor) -> None:
    learner, found = make_learner(total_steps=4), []
    for _ in range(6):
        found.append(learner.progress)
        learner.update(x, y)
    assert found == [0, 0.25, 0.5, 0.75, 1, 1]


def test_an_update_trains_through_every_forward_pass_of_its_loss(x: Tensor, y: Tensor) -> None:
    """Through a pass whose images have a gradient of their own, too, which the update leaves alone."""
    model = digits_model()
    learner = make_learner(copy.deepcopy(model), lr=0.1, momentum=0.0, weight_decay=0.0)
    moved = (x + 0.1).clamp(0, 1)
    gradient, losses, logits = learner.traced_input_grad(x, y)
    passes: list[int] = []
    learner.model.register_forward_hook(lambda *_: passes.append(1))
    learner.update(moved, y, loss=lambda after: F.cross_entropy(after, y) + 3 * F.mse_loss(after, logits))
    assert len(passes) == 1
    torch.testing.assert_close(gradient, plain_gradients(copy.deepcopy(model), x, y)[1] * len(y))
    torch.testing.assert_close(losses, F.cross_entropy(model(x), y, reduction="none"))
    after = model(moved)
    wanted = torch.autograd.grad(F.cross_entropy(after, y) + 3 * F.mse_loss(after, model(x)), list(model.parameters()))
    for p, q, g in zip(learner.model.parameters(), model.parameters(), wanted, strict=True):
        torch.testing.assert_close(p.data, q.data - 0.1 * g)


def test_an_attack_in_eval_mode_leaves_the_network_as_it_was() -> None:
    torch.manual_seed(0)
    config = ModelConfig(name="preact-resnet18", width=2, depth=1)
    learner = make_learner(build_network(config, datasets()["digits"].facts))
    before = copy.deepcopy(learner.model.state_dict())
    images, labels = torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.long)
    gradient, _ = learner.input_grad(images, labels, lambda logits: logits.square().mean(), eval_mode=True)
    images.requires_grad_()
    learner.model.eval()
    (expected,) = torch.autograd.grad(learner.model(images).square().mean(), images)
    torch.testing.assert_close(gradient, 4 * expected)
    learner.model.train()
    assert all(torch.equal(value, before[key]) for key, value in learner.model.state_dict().items())
    assert all(p.requires_grad for p in learner.model.parameters())


@pytest.mark.parametrize("limit", [1e-3, 1e3])
def test_a_gradient_above_the_limit_is_scaled_down_to_it_and_a_smaller_one_is_left_alone(limit: float) -> None:
    x, y, _, _ = digits()
    plain, clipped = (make_learner(digits_model(), momentum=0.0, weight_decay=0.0, clip_norm=c) for c in (0.0, limit))
    before = [p.detach().clone() for p in plain.model.parameters()]
    for learner in (plain, clipped):
        learner.update(x[:64], y[:64])
    moved, moved_less = (
        torch.cat([(p.detach() - q).flatten() for p, q in zip(learner.model.parameters(), before, strict=True)])
        for learner in (plain, clipped)
    )
    norm = float(moved.norm()) / 0.1  # of the gradient: the learning rate is 0.1
    torch.testing.assert_close(moved_less, moved * min(1.0, limit / norm), rtol=1e-3, atol=1e-7)


def test_a_state_from_main_memory_is_placed_on_the_device(x: Tensor, y: Tensor) -> None:
    saved, learner = make_learner(), make_learner()
    gradient, _ = saved.input_grad(x, y)
    saved.update(x, y, input_grad=True, gradient_before=gradient)
    saved.memory["uap"] = torch.zeros(1, 8, 8)
    learner.device = torch.device("meta")  # any device but the one of the state
    learner.load_state_dict(saved.state_dict())
    assert learner.state_dict()["memory"]["uap"].is_meta
    assert learner.alignment() == saved.alignment()
