"""Clean and robust accuracy: eval mode, fp32, and an image that any restart breaks is broken."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.attacks import Pgd, Threat, broken_by_restart
from engine.data.batches import TestImages
from engine.modes import evaluating

BATCH = 250
Tick = Callable[[int, int], None]  # (images done over all restarts, total)


@dataclass(frozen=True)
class Accuracy:
    """Shares in [0,1] of `images` images."""

    clean: float
    robust: float
    images: int


def evaluate(
    model: nn.Module, data: TestImages, threat: Threat, attack: Pgd, seed: int, tick: Tick = lambda done, total: None
) -> Accuracy:
    """Clean accuracy, and accuracy under the attack; broken images are not attacked again.

    tick: called after every batch; what it raises ends the evaluation.
    """
    with evaluating(model):
        everything = torch.arange(len(data), device=data.labels.device)
        alive = everything[clean_correct(model, data)]
        clean = len(alive)
        for restart in range(attack.restarts):
            if not len(alive):
                break
            survivors = []
            for number, images in enumerate(torch.split(alive, BATCH)):
                x, y = data[images]
                broken = broken_by_restart(model, x, y, images, threat, attack, seed, restart)
                survivors.append(images[~broken])
                tick(restart * len(data) + min((number + 1) * BATCH, len(data)), attack.restarts * len(data))
            alive = torch.cat(survivors)
        tick(attack.restarts * len(data), attack.restarts * len(data))
    return Accuracy(clean / len(data), len(alive) / len(data), len(data))


def clean_correct(model: nn.Module, data: TestImages) -> Tensor:
    """Which images are classified correctly as they are: bool, (N,)."""
    everything = torch.arange(len(data), device=data.labels.device)
    with torch.no_grad():
        parts = [model(x).argmax(1) == y for x, y in map(data.__getitem__, torch.split(everything, BATCH))]
    return torch.cat(parts)


def attacked_accuracy(model: nn.Module, x: Tensor, y: Tensor, threat: Threat, attack: Pgd, seed: int) -> Accuracy:
    """Clean and robust accuracy on one minibatch: images in [0,1] (B, C, H, W), labels (B,)."""
    images = torch.arange(len(y), device=y.device)
    with evaluating(model):
        with torch.no_grad():
            alive = model(x).argmax(1) == y
        clean = alive.float().mean()
        for restart in range(attack.restarts):
            alive &= ~broken_by_restart(model, x, y, images, threat, attack, seed, restart)
    return Accuracy(float(clean), float(alive.float().mean()), len(y))
