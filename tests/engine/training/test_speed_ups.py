"""Each speed-up of training keeps the loss curve of a textbook loop with the same noise."""

import shutil
from collections.abc import Callable, Collection
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.attacks.threat import Threat
from engine.config.datasets import datasets
from engine.config.sections import ModelConfig, OptimConfig
from engine.data.minibatch import Minibatch
from engine.models.build import build_network
from engine.models.preact_resnet import PreActBlock
from engine.plan.learning_rate import learning_rate
from engine.runtime.compile import MIN_FLOPS, should_compile
from engine.runtime.rng import generator
from engine.training.learner import Learner
from engine.training.methods.fgsm import fgsm
from tests.support.networks import CPU, digits

EPS, ALPHA, UPDATES, BATCH = 0.1, 0.125, 30, 64
OPTIM = OptimConfig(schedule="constant", lr=0.05)


def network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(ModelConfig(name="preact-resnet18", width=4, depth=1), datasets()["digits"].facts)


def short_network() -> nn.Module:
    """Each kind of layer of `network` in two blocks instead of four: compiling them takes half the time."""
    torch.manual_seed(0)
    blocks = PreActBlock(8, 8, 1), PreActBlock(8, 16, 2)
    end = nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)
    return nn.Sequential(nn.Conv2d(1, 8, 3, 1, 1, bias=False), *blocks, *end)


def minibatches() -> list[tuple[Tensor, Tensor]]:
    images, labels, _, _ = digits()
    return [(images[n : n + BATCH], labels[n : n + BATCH]) for n in range(0, UPDATES // 2 * BATCH, BATCH)] * 2


@cache
def textbook(seed: int = 0, network: Callable[[], nn.Module] = network) -> list[float]:
    """Losses of the textbook loop: fp32, NCHW, full backward passes, an optimizer that takes tensors one by one."""
    model, losses = network(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, foreach=False)
    for number, (x, y) in enumerate(minibatches()):
        x = x.contiguous()
        delta = torch.empty_like(x).uniform_(-EPS, EPS, generator=generator(CPU, seed, "noise", number))
        delta = torch.clamp(delta, -x, 1 - x).requires_grad_()
        F.cross_entropy(model(x + delta), y).backward()
        assert delta.grad is not None
        delta = torch.clamp(torch.clamp(delta.detach() + ALPHA * delta.grad.sign(), -EPS, EPS), -x, 1 - x)
        loss = F.cross_entropy(model(x + delta), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def lr_at(step: int) -> float:
    return learning_rate(OPTIM, step, UPDATES)


def ours(
    precision: str = "fp32", compile_for: Collection[int] = (), network: Callable[[], nn.Module] = network
) -> list[float]:
    learner = Learner(network(), OPTIM, lr_at, CPU, precision, compile_for, compile_or_fail=True)
    losses: list[float] = []
    watch = learner._observed.add

    def add(logits: Tensor, mean: Tensor, *others: Any) -> None:
        losses.append(mean.item())
        watch(logits, mean, *others)

    learner._observed.add = add  # type: ignore[method-assign]
    for number, (x, y) in enumerate(minibatches()):
        rng = generator(CPU, 0, "noise", number)
        batch = Minibatch(x.contiguous(memory_format=torch.channels_last), y, torch.arange(len(y)))
        fgsm(learner, batch, Threat(EPS), rng, alpha=ALPHA)
        learner.advance()
    return losses


def distance(one: list[float], other: list[float]) -> float:
    """The mean distance of the two curves, each smoothed over five updates."""
    curves = [torch.tensor(curve).unfold(0, 5, 1).mean(1) for curve in (one, other)]
    return float((curves[0] - curves[1]).abs().mean())


def agrees(found: list[float], first: float, network: Callable[[], nn.Module] = network) -> None:
    """Check the first five losses to within `first`, and the whole curve more loosely.

    A sign step that decides a tie otherwise changes all later losses. The curve may therefore differ from the
    textbook's curve, but by less than the textbook's curves with other noise, of three seeds.
    """
    wanted, *others = (textbook(seed, network) for seed in range(4))
    assert found[:5] == pytest.approx(wanted[:5], abs=first)
    assert distance(found, wanted) < max(distance(other, wanted) for other in others)


def test_the_textbook_loss_falls_and_depends_on_the_noise() -> None:
    assert textbook()[-1] < textbook()[0] - 0.5
    assert 0.01 < max(distance(textbook(seed), textbook()) for seed in (1, 2, 3)) < 0.15


def test_input_gradients_channels_last_and_a_fused_optimizer_keep_the_loss_curve() -> None:
    agrees(ours(), first=1e-4)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_keeps_the_loss_curve(precision: str) -> None:
    agrees(ours(precision), first=0.05)


@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="no C++ compiler here")
def test_compilation_keeps_the_loss_curve() -> None:
    agrees(ours(compile_for={BATCH}, network=short_network), first=1e-4, network=short_network)


def test_a_minibatch_of_another_size_is_not_compiled_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last minibatch of an epoch is smaller, and a compilation for its size would not pay."""
    calls: list[int] = []
    monkeypatch.setattr(
        "engine.training.learner.compiled", lambda model, must: lambda x: (calls.append(len(x)), model(x))[1]
    )
    learner = Learner(network(), OPTIM, lr_at, CPU, "fp32", {BATCH})
    for size in (BATCH, 10, BATCH):
        learner.logits(torch.rand(size, 1, 8, 8))
    assert calls == [BATCH, BATCH]


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_compilation_is_chosen_when_the_work_pays_for_its_start(kind: str) -> None:
    device = torch.device(kind)
    assert should_compile("on", device, 0)
    assert not should_compile("off", device, 10**20)
    assert should_compile("auto", device, int(MIN_FLOPS[kind]))
    assert not should_compile("auto", device, int(MIN_FLOPS[kind]) - 1)
