"""Small networks, and the digits as tensors."""

from typing import Any

import torch
from torch import Tensor, nn

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.config.datasets import datasets
from engine.config.sections import ModelConfig, OptimConfig
from engine.data.memory.batches import TestImages, to_images
from engine.data.memory.datasets import open_arrays
from engine.evaluation.evaluation import Accuracy, Evaluation, Tick
from engine.models.build import build_network
from engine.plan.learning_rate import learning_rate
from engine.training.learner import Learner

CPU = torch.device("cpu")


def digits_model(width: int = 4, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(ModelConfig(name="digits-cnn", width=width), datasets()["digits"].facts)


class CountingLearner(Learner):
    """A learner that counts each update by itself, for tests without a training loop."""

    def update(self, *args: Any, **kwargs: Any) -> Tensor | None:
        gradient = super().update(*args, **kwargs)
        if self.micro_batch.last:
            self.advance()
        return gradient


def make_learner(
    model: nn.Module | None = None, total_steps: int = 100, precision: str = "fp32", **optim: Any
) -> Learner:
    """A learner on a small model; its schedule is constant unless given."""
    settings: dict[str, Any] = {"schedule": "constant", "lr": 0.1} | optim
    chosen = OptimConfig(**settings)
    return CountingLearner(
        model or digits_model(),
        chosen,
        lambda step: learning_rate(chosen, step, total_steps),
        CPU,
        precision,
        total_steps=total_steps,
    )


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images in [0,1] (1437, 1, 8, 8) and labels, test images (360, 1, 8, 8) and labels."""
    arrays = open_arrays("digits", "")
    return (
        to_images(torch.from_numpy(arrays.train_images)),
        torch.from_numpy(arrays.train_labels),
        to_images(torch.from_numpy(arrays.test_images)),
        torch.from_numpy(arrays.test_labels),
    )


def evaluate(
    model: nn.Module, data: TestImages, threat: Threat, attack: Pgd, seed: int, tick: Tick = lambda done, total: None
) -> Accuracy:
    """Evaluate one attack in fp32, without an interruption."""
    return Evaluation(model, data, [(threat, attack)], seed).run(tick)[0]


class InDouble(nn.Module):
    """A model that computes in float64, so that no rounding depends on the batch; images and logits are float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.inner = model.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x.double())
        return logits.float()


def trained_digits(width: int = 8, updates: int = 150, noise: float = 0.1) -> nn.Module:
    """A digits model that was trained for a while, and is a little robust through noise."""
    images, labels, _, _ = digits()
    learner = make_learner(digits_model(width), name="adam", lr=3e-3, weight_decay=0.0)
    rng = torch.Generator().manual_seed(0)
    for _ in range(updates):
        chosen = torch.randint(len(images), (64,), generator=rng)
        noisy = images[chosen] + noise * (2 * torch.rand(64, 1, 8, 8, generator=rng) - 1)
        learner.update(noisy.clamp(0, 1), labels[chosen])
    return learner.model
