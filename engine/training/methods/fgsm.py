"""FGSM with a random start: "Fast is better than free", algorithm 3 (Wong, Rice and Kolter, 2020)."""

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from engine.config.errors import ConfigError
from engine.config.methods import Cost, MethodSpec
from engine.config.norms import BOTH
from engine.config.section import Section
from engine.training.methods.options import Noise, StartInBox

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


class FgsmOptions(Section, frozen=True):
    init: Annotated[
        Literal["random", "zero", "previous"],
        Meta(
            title="start",
            description="Start of the perturbation: random noise, zero, or the perturbation of the previous minibatch",
        ),
    ] = "random"
    noise: Noise = 1.0
    start_in_box: StartInBox = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise > 1:
            raise ConfigError(
                f"method.noise = {self.noise:g}: FGSM starts in the ball; use at most 1, or --method nfgsm"
            )


def fgsm(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    *,
    alpha: float,
    init: str = "random",
    noise: float = 1.0,
    start_in_box: bool = True,
) -> "Tensor":
    """One sign step from a random start in the ball, from zero, or from the perturbation of the previous step.

    delta = ball(start + alpha sign(gradient at x + start)), with start ~ U(-noise eps, noise eps), 0, or the previous
    delta. ball() clips to [-eps, eps] and to the image box [0,1]. alpha, eps: fractions in [0,1]. For l2, the start is
    uniform in the l2 ball, and the gradient divided by its length takes the place of its sign (see `Threat`).
    """
    x, y = batch.x, batch.y
    if init == "random":
        start = threat.uniform(x, rng, start_in_box, noise)
    else:
        start = threat.carried(x, batch.delta if init == "previous" else None)
    gradient, before = learner.input_grad(x + start, y)
    delta = threat.step(x, start, gradient, alpha)
    learner.update(x + delta, y, before)
    return delta


METHOD = MethodSpec(
    name="fgsm",
    title="FGSM",
    summary="one sign step from a random start: fast adversarial training",
    paper="Wong, Rice and Kolter, 2020, arXiv 2001.03994, algorithm 3",
    step=fgsm,
    options=FgsmOptions,
    alpha=lambda eps, pgd_step: 1.25 * eps,
    cost=lambda options: Cost(attacks=1),
    signals=True,
    norms=BOTH,
    capturable=True,
)
