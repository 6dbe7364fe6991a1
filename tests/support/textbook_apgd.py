"""APGD as the paper writes it (Croce and Hein, 2020, algorithm 1): a loop over one image, with all losses kept."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

CHECKS = (22, 41, 57, 70, 80, 87, 93, 99)  # of 100 steps: p_1 = 0.22, periods shorter by 0.03 each, at least 0.06


def textbook_apgd(
    model: nn.Module, x: Tensor, y: int, start: Tensor, eps: float, loss: Callable[[Tensor], Tensor]
) -> bool:
    """Whether any iterate fools the model. x, start: an image and its first perturbation, (1, C, H, W)."""

    def look(at: Tensor) -> tuple[bool, float, Tensor]:
        at = at.detach().requires_grad_()
        logits = model(at)
        value = loss(logits)
        return int(logits.argmax()) != y, float(value.detach()), torch.autograd.grad(value, at)[0]

    def project(z: Tensor) -> Tensor:
        return (x + (z - x).clamp(-eps, eps)).clamp(0, 1)

    eta, now, before = 2 * eps, x + start, x + start
    fooled, value, gradient = look(now)
    losses, bests = [value], [value]
    best_now, best_gradient = now, gradient
    last_check, best_then, halved = 0, value, True
    for step in range(1, 101):
        stepped = project(now + eta * gradient.sign())
        weight = 1.0 if step == 1 else 0.75
        now, before = project(now + weight * (stepped - now) + (1 - weight) * (now - before)), now
        wrong, value, gradient = look(now)
        fooled = fooled or wrong
        if value > bests[-1]:
            best_now, best_gradient = now, gradient
        losses.append(value)
        bests.append(max(value, bests[-1]))
        if step in CHECKS:
            rises = sum(losses[i + 1] > losses[i] for i in range(last_check, step))
            stuck = rises <= 0.75 * (step - last_check) or (not halved and best_then >= bests[-1])
            if stuck:
                eta, now, gradient = eta / 2, best_now, best_gradient
            last_check, best_then, halved = step, bests[-1], stuck
    return fooled
