"""PGD in l2 fools as many images as the PGDL2 of another package, on the same weights and images."""

import pytest
import torch
from torch import Tensor, nn

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.data.memory.batches import TestImages
from engine.runtime.eval_mode import evaluating
from tests.support.networks import digits, evaluate, trained_digits


class Watched(nn.Module):
    """A network for an attack that does not look at its own iterates: it notes the images that any of them fools.

    scaled: whether the attack sees logits of the standard deviation 5, as our attack does.
    """

    def __init__(self, model: nn.Module, y: Tensor, scaled: bool = True) -> None:
        super().__init__()
        self.model, self.y, self.scaled = model, y, scaled
        self.fooled = torch.zeros_like(y, dtype=torch.bool)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        self.fooled |= logits.argmax(1) != self.y
        return logits * (5 / logits.detach().std(1, keepdim=True, correction=0)) if self.scaled else logits


@pytest.mark.parametrize("eps", [0.3, 0.6])
def test_pgd_in_l2_agrees_with_another_package_within_half_a_point(eps: float) -> None:
    torchattacks = pytest.importorskip("torchattacks", reason="needs the package torchattacks")
    model, (_, _, images, labels) = trained_digits(), digits()
    data = TestImages((images * 255).round().byte().permute(0, 2, 3, 1), labels)
    ours = evaluate(model, data, Threat(eps, "l2"), Pgd(20, 2, eps / 4), seed=0)
    with evaluating(model):
        watched = Watched(model, labels)
        for seed in (0, 1):
            torch.manual_seed(seed)
            attack = torchattacks.PGDL2(watched, eps=eps, alpha=eps / 4, steps=20)
            with torch.enable_grad():
                watched(attack(images, labels))
    theirs = 1 - watched.fooled.float().mean().item()
    assert 0.05 < theirs < 0.95
    assert ours.robust == pytest.approx(theirs, abs=0.005 + 1e-9)
