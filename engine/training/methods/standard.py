"""Standard training, without perturbations."""

from typing import TYPE_CHECKING

from engine.config.methods import MethodSpec
from engine.config.norms import BOTH

if TYPE_CHECKING:
    import torch

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


def standard(learner: "Learner", batch: "Minibatch", threat: "Threat", rng: "torch.Generator") -> None:
    """One weight update on a minibatch of clean images.

    All methods share this signature. batch: images in [0,1], (B, C, H, W); labels, (B,); indices in the training data,
    (B,); and `delta`, the perturbation that the previous step returned, None at the start of training. rng: generator
    for the noise of this step. The options of a method follow as keywords; `alpha` is a step size, in the unit of eps.
    A method returns the perturbation that it trained on, or a perturbation for the next step to start from, or None.

    A method that trains on another loss than the cross-entropy gives it to `learner.update`. What it remembers from one
    update to the next is in `learner.memory`. `learner.progress` is the fraction of the training that is done. With
    micro-batches it is called once for each part, and `learner.micro_batch` says which part it is.
    """
    learner.update(batch.x, batch.y)


METHOD = MethodSpec(
    name="standard",
    title="Standard",
    summary="training on clean images, without perturbations; not robust",
    paper="",
    step=standard,
    adversarial=False,
    norms=BOTH,
    capturable=True,
)
