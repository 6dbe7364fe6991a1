"""FGSM-UAP: FGSM that starts from a universal adversarial perturbation (Pan et al., 2024)."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from engine.config.methods import Cost, MethodSpec
from engine.config.section import Section
from engine.training.methods.options import Weight

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


class FgsmUapOptions(Section, frozen=True):
    weight: Weight = 10.0
    uap_size: Annotated[
        float,
        Meta(
            gt=0,
            le=16,
            title="universal size",
            extra={"unit": "eps"},
            description="Bound of the universal perturbation, as a multiple of eps. The paper: 10/255 at eps = 8/255",
        ),
    ] = 1.25
    uap_momentum: Annotated[
        float,
        Meta(ge=0, lt=1, title="its momentum", description="Momentum of the universal perturbation's gradient"),
    ] = 0.3


def fgsm_uap(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    *,
    alpha: float,
    weight: float = 10.0,
    uap_size: float = 1.25,
    uap_momentum: float = 0.3,
) -> "Tensor":
    """One sign step from the same start for all images, which follows the gradient of all images.

    start = ball(d), with one perturbation d of shape (C, H, W). delta = ball(start + alpha sign(g)), where g is the
    input gradient at x + start. Update: CE(x + delta) + weight MSE(logits at x + delta, logits at x + start), with the
    gradient through both. Then m = mean over images of g / |g|_1 + uap_momentum m, and d = d + b sign(m), clipped to
    [-b, b], with b = uap_size eps. |g|_1 is that of the whole minibatch. d starts as b times random signs, m as 0. d
    starts again when the image size changes.

    ball() clips to [-eps, eps] and to the image box [0,1]. alpha, eps: fractions in [0,1]. Micro-batches start from the
    same d and add up their gradients, so d moves as for the whole minibatch. The defaults are the paper's.
    """
    from engine.training.losses import mean_squared_error  # late: a spec is read before torch is loaded

    x, y = batch.x, batch.y
    bound = uap_size * threat.eps
    if "uap" not in learner.memory or learner.memory["uap"].shape != x.shape[1:]:
        learner.memory["uap"] = bound * x.new_empty(x.shape[1:]).uniform_(-1, 1, generator=rng).sign()
        learner.memory["uap_momentum"] = x.new_zeros(x.shape[1:])
    start = threat.project(x, learner.memory["uap"].expand_as(x))
    gradient, before, logits = learner.traced_input_grad(x + start, y)
    delta = threat.step(x, start, gradient, alpha)
    learner.update(
        x + delta,
        y,
        before,
        loss=lambda moved: learner.training_loss(moved, y) + weight * mean_squared_error(moved, logits),
    )
    _move(learner, gradient, bound, uap_momentum)
    return delta


def _move(learner: "Learner", gradient: "Tensor", bound: float, momentum: float) -> None:
    """Move the universal perturbation, after the last micro-batch of a minibatch. bound: a fraction in [0,1]."""
    memory, part = learner.memory, learner.micro_batch
    total, size, count = gradient.sum(0), gradient.abs().sum(), len(gradient) / part.fraction
    if not part.first:
        total, size = total + memory["uap_total"], size + memory["uap_norm"]
    if not part.last:
        memory["uap_total"], memory["uap_norm"] = total, size
        return
    memory.pop("uap_total", None)
    memory.pop("uap_norm", None)
    mean = (total / (count * size)).nan_to_num(0.0, 0.0, 0.0)  # no gradient at all, or one that overflowed in fp16
    memory["uap_momentum"] = mean + momentum * memory["uap_momentum"]
    memory["uap"] = (memory["uap"] + bound * memory["uap_momentum"].sign()).clamp(-bound, bound)


METHOD = MethodSpec(
    name="fgsm-uap",
    title="FGSM-UAP",
    summary="one sign step from a universal perturbation; trains the loss and the change of the logits",
    paper="Pan et al., 2024, AAAI; github.com/fzjcdt/fgsm_uap",
    step=fgsm_uap,
    options=FgsmUapOptions,
    alpha=lambda eps, pgd_step: eps,
    cost=lambda options: Cost(attacks=1, updates=1, backwards=1),
    signals=True,
    capturable=True,
)
