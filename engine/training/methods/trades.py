"""TRADES: "Theoretically principled trade-off between robustness and accuracy" (Zhang et al., 2019)."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from engine.config.methods import Cost, MethodSpec
from engine.config.norms import BOTH
from engine.config.section import Section
from engine.training.methods.options import Steps

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


START = 0.001  # standard deviation of the start, a fraction in [0,1]: at the clean image the KL divergence has no slope


class TradesOptions(Section, frozen=True):
    steps: Steps = 10
    beta: Annotated[
        float,
        Meta(
            ge=0,
            le=1000,
            title="beta",
            description="Weight of the robustness term against the clean term, 1/lambda in the paper. "
            "More is more robust and less accurate",
        ),
    ] = 6.0


def trades(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    *,
    alpha: float,
    steps: int = 10,
    beta: float = 6.0,
) -> "Tensor":
    """PGD on the KL divergence from the clean answer, and an update on the clean loss and that divergence.

    Attack, in eval mode: delta ~ N(0, 0.001), then `steps` times delta = ball(delta + alpha sign(gradient of
    KL(p(x) || p(x + delta)))). Update: CE(x) + beta KL(p(x) || p(x + delta)), with the gradient through both p; p is
    the softmax output. ball() clips to [-eps, eps] and to the image box [0,1]. alpha, eps: fractions in [0,1]. The
    defaults are those of the paper's CIFAR-10 runs: beta = 6, 10 steps (section 5.2). For l2, the gradient divided by
    its length takes the place of its sign.
    """
    from engine.training.losses import kl_divergence  # late: a spec is read before torch is loaded

    x, y = batch.x, batch.y
    target = learner.answers(x)
    delta = threat.project(x, START * x.new_empty(x.shape).normal_(generator=rng))
    for _ in range(steps):
        gradient, _ = learner.input_grad(x + delta, y, lambda logits: kl_divergence(target, logits), eval_mode=True)
        delta = threat.step(x, delta, gradient, alpha)
    clean = learner.logits(x)
    learner.update(
        x + delta, y, loss=lambda moved: learner.training_loss(clean, y) + beta * kl_divergence(clean, moved)
    )
    return delta


METHOD = MethodSpec(
    name="trades",
    title="TRADES",
    summary="PGD that drives the answer away from the clean one; trains the clean loss and their KL divergence",
    paper="Zhang et al., 2019, arXiv 1901.08573, algorithm 1",
    step=trades,
    options=TradesOptions,
    alpha=lambda eps, pgd_step: pgd_step,
    cost=lambda options: Cost(attacks=options.steps, updates=2, forwards=1),
    norms=BOTH,
    capturable=True,
)
