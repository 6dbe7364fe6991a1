"""PGD training: "Towards deep learning models resistant to adversarial attacks" (Madry et al., 2018)."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from engine.config.methods import Cost, MethodSpec
from engine.config.norms import BOTH
from engine.config.section import Count, Section
from engine.training.methods.options import StartInBox, Steps

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


class PgdOptions(Section, frozen=True):
    steps: Steps = 7
    restarts: Annotated[
        Count,
        Meta(
            title="restarts",
            description="Random starts of PGD training. Each image keeps the perturbation with the highest loss",
        ),
    ] = 1
    start_in_box: StartInBox = True


def pgd(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    *,
    alpha: float,
    steps: int,
    restarts: int = 1,
    start_in_box: bool = True,
) -> "Tensor":
    """Several sign steps from a random start (Wong et al., 2020, algorithm 1).

    Each step: delta = ball(delta + alpha sign(gradient at x + delta)), with the start delta ~ U(-eps, eps). Of several
    restarts, each image keeps the delta with the highest loss. alpha, eps: fractions in [0,1]. For l2, the start is
    uniform in the l2 ball, and the gradient divided by its length takes the place of its sign.
    """
    x, y = batch.x, batch.y
    delta, before = _one_restart(learner, batch, threat, rng, alpha, steps, start_in_box)
    if restarts > 1:
        worst = learner.input_grad(x + delta, y)[1]
        for _ in range(restarts - 1):
            other, _ = _one_restart(learner, batch, threat, rng, alpha, steps, start_in_box)
            losses = learner.input_grad(x + other, y)[1]
            delta = other.where((losses > worst).view(-1, 1, 1, 1), delta)
            worst = worst.maximum(losses)
    learner.update(x + delta, y, before)
    return delta


def _one_restart(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    alpha: float,
    steps: int,
    start_in_box: bool,
) -> "tuple[Tensor, Tensor]":
    """The perturbation after one restart, and each image's loss at the random start."""
    x, y = batch.x, batch.y
    delta = threat.uniform(x, rng, start_in_box)
    gradient, before = learner.input_grad(x + delta, y)
    delta = threat.step(x, delta, gradient, alpha)
    for _ in range(steps - 1):
        gradient, _ = learner.input_grad(x + delta, y)
        delta = threat.step(x, delta, gradient, alpha)
    return delta, before


def _cost(options: PgdOptions) -> Cost:
    choosing = options.restarts if options.restarts > 1 else 0  # one more pass per restart compares the losses
    return Cost(attacks=options.steps * options.restarts + choosing)


METHOD = MethodSpec(
    name="pgd",
    title="PGD",
    summary="several sign steps from a random start: the strong but slow reference method",
    paper="Madry et al., 2018, arXiv 1706.06083",
    step=pgd,
    options=PgdOptions,
    alpha=lambda eps, pgd_step: pgd_step,
    cost=_cost,
    signals=True,
    norms=BOTH,
    capturable=True,
)
