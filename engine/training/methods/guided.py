"""What GAT and NuAT share: one step from a start of random signs, guided in every second step by a regulariser."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner

START = 0.5  # size of the start, as a multiple of eps: 4/255 at the papers' eps of 8/255


def guided_step(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    alpha: float,
    regularizer: "Callable[[Tensor, Tensor], Tensor]",
) -> "Tensor":
    """One step of a guided method. Returns the perturbation, (B, C, H, W).

    start = box(x + 0.5 eps sign(U)), with U ~ U(-1, 1) for each pixel. Attack, with the network in eval mode as in the
    authors' code: delta = ball(start + alpha sign(gradient of L) - x), where L is CE in updates of even number, and
    CE + R(clean, start) in those of odd number. Update: CE(clean) + R(clean, adversarial), with the gradient through
    both. clean, start, adversarial: the logits. R is the weighted regulariser. alpha: a fraction in [0,1].

    The clean logits are computed once, in train mode, for the attack and for the update. The authors' code computes
    them twice, with the same result.
    """
    import torch.nn.functional as F  # late: a spec is read before torch is loaded

    x, y = batch.x, batch.y
    clean = learner.logits(x)
    reference, guided = clean.detach(), learner.step % 2 == 1

    def attack_loss(logits: "Tensor") -> "Tensor":
        loss = F.cross_entropy(logits, y)
        return loss + regularizer(reference, logits) if guided else loss

    signs = x.new_empty(x.shape).uniform_(-1, 1, generator=rng).sign()
    start = threat.project(x, START * threat.eps * signs)
    gradient, _ = learner.input_grad(x + start, y, attack_loss, eval_mode=True)
    delta = threat.step(x, start, gradient, alpha)
    learner.update(x + delta, y, loss=lambda logits: learner.training_loss(clean, y) + regularizer(clean, logits))
    return delta
