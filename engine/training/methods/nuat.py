"""NuAT: "Towards efficient and effective adversarial training" (Sriramanan et al., 2021)."""

from typing import TYPE_CHECKING

from engine.config.methods import Cost, MethodSpec
from engine.config.section import Section
from engine.training.methods.guided import guided_step
from engine.training.methods.options import Weight

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


class NuatOptions(Section, frozen=True):
    weight: Weight = 4.0


def nuat(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    *,
    alpha: float,
    weight: float = 4.0,
) -> "Tensor":
    """A guided step (methods/guided.py) with R = l |clean - adversarial|_nuclear / B, where l = weight t/T.

    t is the number of the update, T the number of all updates, B the size of the minibatch. The nuclear norm is that of
    the (B, classes) matrix of the differences of the logits. With micro-batches, each part has a matrix of its own,
    whose norms add up to more than that of the whole. alpha, eps: fractions in [0,1].
    """
    from engine.training.losses import nuclear_distance  # late: a spec is read before torch is loaded

    scale = weight * learner.progress
    return guided_step(learner, batch, threat, rng, alpha, lambda p, q: scale * nuclear_distance(p, q))


METHOD = MethodSpec(
    name="nuat",
    title="NuAT",
    summary="one step guided by the nuclear norm of the change of the logits; trains the clean loss and that norm",
    paper="Sriramanan et al., 2021, Towards efficient and effective adversarial training, NeurIPS, algorithm 1",
    step=nuat,  # not capturable: its weight grows, and its attack has another loss in every second update
    options=NuatOptions,
    alpha=lambda eps, pgd_step: eps,
    cost=lambda options: Cost(attacks=1, updates=2),
)
