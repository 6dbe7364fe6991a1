"""What an evaluation can attack with: an attack is a sequence of stages, and a stage has one or more parts."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from engine.attacks.probe import Probe
from engine.attacks.threat import Threat


class Stage(Protocol):
    """One attack in a sequence. Its parts are restarts or targets: each attacks what the parts before have left."""

    @property
    def name(self) -> str: ...

    @property
    def parts(self) -> int: ...

    @property
    def together(self) -> bool:
        """Whether `attack` takes several parts at once, as rows of one minibatch."""
        ...

    @property
    def gradients(self) -> int:
        """Gradients of each part for an image that is not fooled; an estimate, for the progress."""
        ...

    @property
    def inputs(self) -> tuple[float | int | str, ...]:
        """The settings that decide the result, for the key under which a result is stored."""
        ...

    def attack(
        self, probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, seed: int, parts: range
    ) -> tuple[Tensor, Tensor]:
        """Attack a minibatch with one part, or with several if the stage takes them `together`.

        x: images in [0,1], (B, C, H, W); y: labels, (B,); images: indices in the data set, (B,); parts: the numbers of
        the parts. The noise follows from the seed, the index of the image and the part. Returns two masks, bool, (B,):
        the misclassified images, and the images whose gradient was exactly zero at some iterate, so that the attack
        did not move them.
        """
        ...


class Attack(Protocol):
    """A sequence of stages with a name."""

    @property
    def name(self) -> str: ...

    @property
    def stages(self) -> tuple[Stage, ...]: ...

    @property
    def inputs(self) -> tuple[float | int | str, ...]: ...

    @property
    def step_size(self) -> float:
        """The chosen step size, a fraction in [0,1]; 0 if the attack chooses its own."""
        ...


@dataclass(frozen=True)
class Composite:
    """Several stages in a row."""

    name: str
    stages: tuple[Stage, ...]
    step_size: float = 0.0

    @property
    def inputs(self) -> tuple[float | int | str, ...]:
        return tuple(value for stage in self.stages for value in (stage.name, *stage.inputs))


def parts_of(attack: Attack) -> list[tuple[Stage, int]]:
    """All parts of an attack in their order, each with its stage."""
    return [(stage, part) for stage in attack.stages for part in range(stage.parts)]
