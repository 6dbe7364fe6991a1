"""N-FGSM: FGSM with noise beyond the ball, and without clipping to the ball (de Jorge et al., 2022, algorithm 1)."""

import dataclasses
from typing import TYPE_CHECKING

from engine.config.methods import Cost, MethodSpec
from engine.config.norms import BOTH
from engine.config.section import Section
from engine.training.methods.options import Noise

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


class NfgsmOptions(Section, frozen=True):
    noise: Noise = 2.0


def nfgsm(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    *,
    alpha: float,
    noise: float = 2.0,
) -> "Tensor":
    """One sign step from noise beyond the ball. The result is clipped to the image box [0,1], and not to the ball.

    delta = box(start + alpha sign(gradient at x + start)), with start ~ U(-noise eps, noise eps). alpha, eps: fractions
    in [0,1]. For l2, the start is uniform in the ball of radius noise eps, and the gradient divided by its length takes
    the place of its sign.
    """
    x, y = batch.x, batch.y
    start = threat.uniform(x, rng, in_box=False, scale=noise)
    gradient, before = learner.input_grad(x + start, y)
    wide_threat = dataclasses.replace(threat, eps=noise * threat.eps + alpha)  # so wide that its ball clips nothing
    delta = wide_threat.step(x, start, gradient, alpha)
    learner.update(x + delta, y, before)
    return delta


METHOD = MethodSpec(
    name="nfgsm",
    title="N-FGSM",
    summary="one sign step from noise of up to several eps, without projection to the eps ball",
    paper="de Jorge et al., 2022, arXiv 2202.01181, algorithm 1",
    step=nfgsm,
    options=NfgsmOptions,
    alpha=lambda eps, pgd_step: eps,
    cost=lambda options: Cost(attacks=1),
    signals=True,
    norms=BOTH,
    capturable=True,
)
