"""The textbook versions that the benchmarks compare with: what the papers describe, written plainly.

fp32, NCHW, full backward passes, a DataLoader with PIL transforms, and an evaluation that attacks every example in
every restart. They are frozen: a change here would move every ratio that was ever printed.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class PilImages(Dataset[tuple[Tensor, int]]):
    """Images as PIL pictures, cropped, flipped and converted one by one. images: uint8, (N, H, W, 3)."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        from torchvision import transforms  # takes seconds, so not where a test imports the textbook attack

        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def minibatches(
    images: NDArray[np.uint8], labels: NDArray[np.int64], batch_size: int, workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled minibatches for ever: images in [0,1], (B, 3, 32, 32), and labels, (B,)."""
    loader = DataLoader(PilImages(images, labels), batch_size, shuffle=True, num_workers=workers, drop_last=True)
    while True:
        yield from loader


def fgsm_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, eps: float, alpha: float
) -> None:
    """One update of FGSM with a random start (Wong et al., 2020, algorithm 3); eps and alpha in [0,1].

    Two full backward passes: the first computes weight gradients, too, and throws them away.
    """
    delta = torch.zeros_like(x).uniform_(-eps, eps)
    delta.data = torch.clamp(delta, -x, 1 - x)
    delta.requires_grad = True
    F.cross_entropy(model(x + delta), y).backward()
    assert delta.grad is not None
    delta.data = torch.clamp(delta + alpha * torch.sign(delta.grad), -eps, eps)
    delta.data = torch.clamp(delta, -x, 1 - x)
    _descend(model, optimizer, x + delta.detach(), y)


def pgd_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, eps: float, alpha: float, steps: int
) -> None:
    """One update of PGD adversarial training (Madry et al., 2018; Wong et al., 2020, algorithm 1)."""
    delta = torch.zeros_like(x).uniform_(-eps, eps)
    delta.data = torch.clamp(delta, -x, 1 - x)
    for _ in range(steps):
        delta.requires_grad = True
        F.cross_entropy(model(x + delta), y).backward()
        assert delta.grad is not None
        delta = torch.clamp(delta.detach() + alpha * torch.sign(delta.grad), -eps, eps)
        delta = torch.clamp(delta, -x, 1 - x)
    _descend(model, optimizer, x + delta, y)


def _descend(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def pgd_robust(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    eps: float,
    alpha: float,
    steps: int,
    restarts: int,
    start: Callable[[int], Tensor] | None = None,
) -> Tensor:
    """Which of these images PGD with restarts does not break: bool, (B,); the model in eval mode.

    Every example is attacked in every restart; the perturbation of the largest loss is kept, as in the paper's code,
    and what it does to the prediction decides. start: the first perturbation of each restart, else it is drawn here.
    """
    worst_loss = torch.full((len(y),), -1.0)
    worst = torch.zeros_like(x)
    for restart in range(restarts):
        delta = torch.zeros_like(x).uniform_(-eps, eps) if start is None else start(restart)
        delta = torch.clamp(delta, -x, 1 - x)
        for _ in range(steps):
            delta.requires_grad = True
            F.cross_entropy(model(x + delta), y).backward()
            assert delta.grad is not None
            delta = torch.clamp(delta.detach() + alpha * torch.sign(delta.grad), -eps, eps)
            delta = torch.clamp(delta, -x, 1 - x)
        with torch.no_grad():
            loss = F.cross_entropy(model(x + delta), y, reduction="none")
        worst = torch.where((loss >= worst_loss).view(-1, 1, 1, 1), delta, worst)
        worst_loss = torch.maximum(worst_loss, loss)
    with torch.no_grad():
        robust: Tensor = model(x + worst).argmax(1) == y
    return robust
