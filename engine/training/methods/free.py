"""Free adversarial training: "Adversarial training for free!" (Shafahi et al., 2019)."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from engine.config.methods import Cost, MethodSpec
from engine.config.norms import BOTH
from engine.config.section import Count, Section

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


class FreeOptions(Section, frozen=True):
    replays: Annotated[
        Count, Meta(title="replays", description="Weight updates on each minibatch in free training (m in the paper)")
    ] = 8


def free(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    *,
    alpha: float,
    replays: int = 8,
) -> "Tensor":
    """One replay of a minibatch (Wong et al., 2020, algorithm 2).

    The training loop calls this function `replays` times per minibatch. Each call updates the weights with the gradient
    at x + delta, where delta is what the previous call returned. The same backward pass gives the gradient with respect
    to the image at x + delta. The call returns ball(delta + alpha sign(that gradient)). For l2, the gradient divided by
    its length takes the place of its sign.
    """
    delta = threat.carried(batch.x, batch.delta)
    gradient = learner.update(batch.x + delta, batch.y, input_grad=True)
    assert gradient is not None
    return threat.step(batch.x, delta, gradient, alpha)


METHOD = MethodSpec(
    name="free",
    title="Free",
    summary="several updates on each minibatch; the backward pass of an update also moves the perturbation",
    paper="Shafahi et al., 2019, arXiv 1904.12843",
    step=free,
    options=FreeOptions,
    alpha=lambda eps, pgd_step: eps,
    cost=lambda options: Cost(updates=0, shared=options.replays),
    updates=lambda options: options.replays,
    norms=BOTH,
    capturable=True,
)
