"""Standard training: on the images as they are."""

from typing import TYPE_CHECKING

from engine.config.methods import MethodSpec

if TYPE_CHECKING:
    import torch

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


def standard(learner: "Learner", batch: "Minibatch", threat: "Threat", rng: "torch.Generator") -> None:
    """One weight update on a minibatch.

    All methods share this signature. batch: images in [0,1], (B, C, H, W), their labels, (B,), their numbers in the
    training data, (B,), and `delta`, the perturbation that the step before returned, None at the start of training.
    rng: the noise of this step. Options follow as keywords; `alpha` is a step size, as a fraction in [0,1]. A method
    returns the perturbation that it trained on, or one that the next step is to go on from, or None.
    """
    learner.update(batch.x, batch.y)


METHOD = MethodSpec(
    name="standard",
    summary="training on the images as they are; not robust",
    paper="",
    step=standard,
    adversarial=False,
)
