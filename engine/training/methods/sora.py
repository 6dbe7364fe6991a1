"""SORA: FGSM whose step size follows the curvature of the loss (Teymourian et al., 2026)."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from engine.config.methods import Cost, MethodSpec
from engine.config.section import Section

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


FIRST_LINEARITY = 0.99  # c before the first update


class SoraOptions(Section, frozen=True):
    linearity_gap: Annotated[
        float,
        Meta(
            gt=0,
            le=2,
            title="linearity gap",
            description="Steps are the largest while 1 - c is below this, and shrink in proportion above. "
            "c: how linear the loss is, at most 1",
        ),
    ] = 0.02
    linearity_rate: Annotated[
        float,
        Meta(gt=0, le=1, title="linearity rate", description="Weight of each minibatch in the moving average c"),
    ] = 0.05


def sora(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    *,
    alpha: float,
    linearity_gap: float = 0.02,
    linearity_rate: float = 0.05,
) -> "Tensor":
    """One sign step of random size in each pixel, from a random start, whose bound follows the curvature of the loss.

    start ~ box(U(-eps, eps)). g1 is the input gradient at x + start. delta = box(start + a r sign(g1)), with
    r ~ U(0, 1) for each pixel and a = alpha min(1, linearity_gap / (1 - c)). box() clips x + delta to [0,1]; delta may
    leave the eps ball. The update on x + delta yields the input gradient g2 of the same backward pass. Then
    c = (1 - linearity_rate) c + linearity_rate clip(mean of <sign g1, g2> / |g1|_1, -1, 1), from c = 0.99 on. The mean
    is over the images of the minibatch, all micro-batches together. Both gradients are those of the training loss, with
    label smoothing if the run has it, because the paper compares two gradients of one loss.

    alpha, eps: fractions in [0,1]. The defaults are those of the paper and of its code, with alpha = 2 eps.
    """
    x, y = batch.x, batch.y
    linearity = learner.memory.get("linearity", x.new_full((), FIRST_LINEARITY))
    largest = alpha * (linearity_gap / (1 - linearity)).clamp(max=1)
    start = threat.uniform(x, rng)
    gradient, before = learner.input_grad(x + start, y, lambda logits: learner.training_loss(logits, y))
    sizes = largest * x.new_empty(x.shape).uniform_(0, 1, generator=rng)
    wide_threat = dataclasses.replace(threat, eps=threat.eps + alpha)  # so wide that its ball clips nothing
    delta = wide_threat.project(x, start + sizes * gradient.sign())
    after = learner.update(x + delta, y, before, input_grad=True, gradient_before=gradient)
    assert after is not None
    slopes = (gradient.sign() * after).flatten(1).sum(1) / gradient.abs().flatten(1).sum(1).clamp_min(1e-12)
    _remember(learner, linearity, slopes, linearity_rate)
    return delta


def _remember(learner: "Learner", linearity: "Tensor", slopes: "Tensor", rate: float) -> None:
    """Update the moving average c, after the last micro-batch of a minibatch. slopes: <sign g1, g2> / |g1|_1, (B,)."""
    memory, part = learner.memory, learner.micro_batch
    seen = slopes.mean() * part.fraction
    if not part.first:
        seen = seen + memory["linearity_seen"]
    if not part.last:
        memory["linearity_seen"] = seen
        return
    memory.pop("linearity_seen", None)
    seen = seen.where(seen.isfinite(), linearity)  # fp16 gradients may overflow
    memory["linearity"] = linearity.lerp(seen.clamp(-1, 1), rate)


METHOD = MethodSpec(
    name="sora",
    title="SORA",
    summary="one sign step of random size per pixel, which shrinks while the loss is curved; not projected",
    paper="Teymourian et al., 2026, arXiv 2606.00738",
    step=sora,
    options=SoraOptions,
    alpha=lambda eps, pgd_step: min(2 * eps, 1.0),
    cost=lambda options: Cost(attacks=1, updates=0, shared=1),
    signals=True,
    aligns=True,
    capturable=True,
)
