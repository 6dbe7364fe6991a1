"""Projected gradient descent (PGD) as an attack for evaluations."""

from dataclasses import dataclass

from torch import Tensor

from engine.attacks.pgd_search import Search
from engine.attacks.probe import Probe
from engine.attacks.threat import Threat

ASK_EVERY = {
    "cuda": 5
}  # steps between two waits for a device; a CPU makes the host wait anyway, so it is asked in each


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
    def together(self) -> bool:
        return False

    @property
    def gradients(self) -> int:
        return self.steps

    @property
    def inputs(self) -> tuple[float | int | str, ...]:
        return (self.steps, self.restarts, self.step_size)

    def attack(
        self, probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, seed: int, parts: range
    ) -> tuple[Tensor, Tensor]:
        """As `Stage.attack`, with the restarts as parts."""
        (restart,) = parts
        return fooled_by_restart(probe, x, y, images, threat, self, seed, restart)


def fooled_by_restart(
    probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, attack: Pgd, seed: int, restart: int
) -> tuple[Tensor, Tensor]:
    """Which images are misclassified at any iterate of one restart of PGD. The random start is one of the iterates.

    x: images in [0,1], (B, C, H, W); y: labels, (B,); images: indices in the data set, (B,), which decide the noise;
    restart: number of the restart, which decides the noise, too. Returns two masks, bool, (B,): the misclassified
    images, and the images whose gradient was exactly zero at some iterate, so that the attack did not move them.
    """
    search = Search(probe, threat, attack.step_size, x, y, threat.image_start(x, images, seed, restart))
    every, left = ASK_EVERY.get(x.device.type, 1), attack.steps
    while left:
        steps = min(every, left)
        if not search.advance(steps):
            return search.fooled, search.unmoved
        left -= steps
    search.look_at_last()
    return search.fooled, search.unmoved
