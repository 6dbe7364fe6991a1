"""Projected gradient descent (PGD) as an attack for evaluations."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from engine.attacks.probe import Probe, without_gradient
from engine.attacks.threat import Threat

SMALLEST_STEP = 4

# Of the images that PGD-50 did not fool on networks for digits, MNIST and CIFAR-10, 96%, 36% and 83% came back to an
# earlier iterate, bit for bit: the signs of a few pixels alternate at the border of the ball. The period was 2 or 4 in
# nearly all cases. A cycle of at most CYCLE steps is noticed.
CYCLE = 4


@dataclass(frozen=True)
class Pgd:
    """PGD with `restarts` random starts (Madry et al., 2018). step_size: in the unit of the threat model's eps."""

    steps: int
    restarts: int
    step_size: float

    @property
    def name(self) -> str:
        return f"pgd-{self.steps}-{self.restarts}" if self.restarts > 1 else f"pgd-{self.steps}"

    @property
    def stages(self) -> tuple["Pgd"]:
        return (self,)

    @property
    def parts(self) -> int:
        return self.restarts

    @property
    def gradients(self) -> int:
        return self.steps

    @property
    def inputs(self) -> tuple[float | int | str, ...]:
        return (self.steps, self.restarts, self.step_size)

    def attack(
        self, probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, seed: int, part: int
    ) -> tuple[Tensor, Tensor]:
        """As `Stage.attack`, with the restarts as parts."""
        return fooled_by_restart(probe, x, y, images, threat, self, seed, part)


def fooled_by_restart(
    probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, attack: Pgd, seed: int, restart: int
) -> tuple[Tensor, Tensor]:
    """Which images are misclassified at any iterate of one restart of PGD. The random start is one of the iterates.

    x: images in [0,1], (B, C, H, W); y: labels, (B,); images: indices in the data set, (B,), which decide the noise;
    restart: number of the restart, which decides the noise, too. Returns two masks, bool, (B,): the misclassified
    images, and the images whose gradient was exactly zero at some iterate, so that the attack did not move them.
    """
    fooled, unmoved = torch.zeros_like(y, dtype=torch.bool), torch.zeros_like(y, dtype=torch.bool)
    search = _Search.at(x, y, threat.image_start(x, images, seed, restart))
    for step in range(attack.steps):
        wrong, gradient = probe.fooled_and_gradient(search.x + search.delta, search.y, search.over)
        fooled[search.rows] |= wrong
        unmoved[search.rows] |= without_gradient(gradient) & ~search.over
        search.move(threat, gradient, attack.step_size, step)
        search.over |= wrong
        left = len(search.over) - int(search.over.sum())
        if not left:
            return fooled, unmoved
        if (size := rounded_size(left)) < len(search.over):
            search = search.of(search.over.sort(stable=True).indices[:size])
    fooled[search.rows] |= probe.fooled(search.x + search.delta, search.y)
    return fooled, unmoved


def rounded_size(images: int) -> int:
    """The size of the batch that a number of images is attacked in: one of four between a power of 2 and the next."""
    step = max(1 << max(images.bit_length() - 3, 0), SMALLEST_STEP)
    return -(-images // step) * step


@dataclass
class _Search:
    """The search on each of B images. All tensors have B rows."""

    rows: Tensor  # places of the images in the minibatch
    x: Tensor
    y: Tensor
    delta: Tensor
    kept: Tensor  # an earlier iterate, to notice a cycle
    over: Tensor  # whether no further iterate matters: the image is fooled, or its iterates are in a cycle

    @classmethod
    def at(cls, x: Tensor, y: Tensor, start: Tensor) -> "_Search":
        rows, over = torch.arange(len(y), device=y.device), torch.zeros_like(y, dtype=torch.bool)
        return cls(rows, x, y, start, start, over)

    def of(self, places: Tensor) -> "_Search":
        """The search on some of the images."""
        return _Search(*(getattr(self, field.name)[places] for field in fields(self)))

    def move(self, threat: Threat, gradient: Tensor, step_size: float, step: int) -> None:
        """Go to the next iterate. From an iterate that was there before, PGD goes the same way again."""
        if step % CYCLE == 0:
            self.kept = self.delta
        self.delta = threat.step(self.x, self.delta, gradient, step_size)
        self.over = self.over | (self.delta == self.kept).flatten(1).all(1)
