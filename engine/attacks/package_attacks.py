"""FAB-T and Square, the stages of AutoAttack that the package pyautoattack makes (Croce and Hein, 2020)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.attacks.probe import Probe
from engine.attacks.threat import Threat
from engine.config.norms import LINF
from engine.runtime.rng import seed_of

FAB_STEPS, SQUARE_QUERIES = 100, 5000  # of the package's standard version


@dataclass(frozen=True)
class FabTargeted:
    """Targeted FAB (Croce and Hein, 2020b): searches the nearest perturbation to each of the targets."""

    targets: int
    name: str = "fab-t"
    parts: int = 1
    together: bool = False

    @property
    def gradients(self) -> int:
        return 2 * FAB_STEPS * self.targets  # a gradient and an answer in each step

    @property
    def inputs(self) -> tuple[float | int | str, ...]:
        return (self.targets, FAB_STEPS)

    def attack(
        self, probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, seed: int, parts: range
    ) -> tuple[Tensor, Tensor]:
        """As `Stage.attack`. Without restarts, FAB draws no random numbers."""
        from pyautoattack.fab_pt import FABAttack_PT

        attack = FABAttack_PT(
            _Counted(probe),
            norm=_norm(threat),
            eps=threat.eps,
            n_restarts=1,
            n_iter=FAB_STEPS,
            n_target_classes=self.targets,
            targeted=True,
            seed=_small_seed(seed),
            device=x.device,
        )
        return _attacked_by(attack, probe, x, y, threat)


@dataclass(frozen=True)
class Square:
    """Square Attack (Andriushchenko et al., 2020): a random search that needs no gradient."""

    queries: int = SQUARE_QUERIES
    name: str = "square"
    parts: int = 1
    together: bool = False

    @property
    def gradients(self) -> int:
        return self.queries

    @property
    def inputs(self) -> tuple[float | int | str, ...]:
        return (self.queries,)

    def attack(
        self, probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, seed: int, parts: range
    ) -> tuple[Tensor, Tensor]:
        """As `Stage.attack`."""
        attack = _square_class()(
            _Counted(probe),
            norm=_norm(threat),
            eps=threat.eps,
            n_queries=self.queries,
            n_restarts=1,
            p_init=0.8,
            resc_schedule=False,
            seed=_small_seed(seed),
            device=x.device,
        )
        return _attacked_by(attack, probe, x, y, threat)


def _square_class() -> Any:
    from pyautoattack.square import SquareAttack

    class SharedNoiseSquare(SquareAttack):  # type: ignore[misc]  # the package has no types
        """Draws the random signs of one image and takes them for all, or they would depend on the minibatch."""

        def random_choice(self, shape: Any) -> Tensor:
            of_images = len(shape) == 4  # else the signs are the same for all images already
            signs: Tensor = super().random_choice([1, *shape[1:]] if of_images else shape)
            return signs.expand(*shape)

    return SharedNoiseSquare


class _Counted(nn.Module):
    """The network of a probe, which counts the images and tells the progress at each pass."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self._probe, self.network = probe, probe.model

    def forward(self, x: Tensor) -> Tensor:
        self._probe.gradients += len(x)
        self._probe.tick()
        found: Tensor = self.network(x)
        return found


def _attacked_by(attack: Any, probe: Probe, x: Tensor, y: Tensor, threat: Threat) -> tuple[Tensor, Tensor]:
    """The masks of an attack of the package. Its random numbers leave torch's global generator as it was."""
    devices = [x.device] if x.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        adversarial = attack.perturb(x.detach().contiguous(), y)
    delta = threat.project(x, adversarial.detach() - x)
    return probe.fooled(x + delta, y), torch.zeros_like(y, dtype=torch.bool)


def _norm(threat: Threat) -> str:
    return "Linf" if threat.norm == LINF else "L2"


def _small_seed(seed: int) -> int:
    """A seed of 31 bits, which every generator of the package takes."""
    return seed_of(seed, "pyautoattack") >> 32
