"""GAT: "Guided adversarial attack for evaluating and enhancing adversarial defenses" (Sriramanan et al., 2020)."""

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


class GatOptions(Section, frozen=True):
    weight: Weight = 10.0


def gat(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    *,
    alpha: float,
    weight: float = 10.0,
) -> "Tensor":
    """A guided step (methods/guided.py) with R = weight mean |p(clean) - p(adversarial)|^2; p is the softmax output.

    The mean is over the images of the minibatch, so micro-batches add up to the same loss. alpha, eps: fractions in
    [0,1]. The default weight is that of the paper's CIFAR-10 runs. The authors raise it towards the end of training;
    here it stays.
    """
    from engine.training.losses import squared_distance  # late: a spec is read before torch is loaded

    return guided_step(learner, batch, threat, rng, alpha, lambda p, q: weight * squared_distance(p, q))


METHOD = MethodSpec(
    name="gat",
    title="GAT",
    summary="one step that is guided to move the softmax output; trains the clean loss and that distance",
    paper="Sriramanan et al., 2020, arXiv 2011.14969, algorithm 2",
    step=gat,  # not capturable: its attack has another loss in every second update
    options=GatOptions,
    alpha=lambda eps, pgd_step: eps,
    cost=lambda options: Cost(attacks=1, updates=2),
)
