"""PGD as a textbook writes it: a loop that attacks each image alone. The logits have the standard deviation 5."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.attacks.pgd import Pgd
from engine.runtime.rng import image_noise


def textbook(model: nn.Module, x: Tensor, y: Tensor, image: int, eps: float, attack: Pgd, seed: int) -> list[bool]:
    """For each restart, whether it fools the model on the image x of shape (1, C, H, W). No work is skipped."""
    found = []
    for restart in range(attack.restarts):
        noise = image_noise(seed, restart, torch.tensor([image]), x.shape[1:])
        adversarial = (x + (eps * noise).clamp(-eps, eps)).clamp(0, 1)
        fooled = bool(model(adversarial).argmax() != y)
        for _ in range(attack.steps):
            adversarial = adversarial.detach().requires_grad_()
            logits = model(adversarial)
            F.cross_entropy(logits * (5 / logits.detach().std(correction=0)), y).backward()
            assert adversarial.grad is not None
            with torch.no_grad():
                adversarial = adversarial + attack.step_size * adversarial.grad.sign()
                adversarial = (x + (adversarial - x).clamp(-eps, eps)).clamp(0, 1)
                fooled = fooled or bool(model(adversarial).argmax() != y)
        found.append(fooled)
    return found
