"""PGD in l2 fools as many images as the PGDL2 of another package, on the same weights and images."""

import pytest
import torch
from torch import nn

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.data.memory.batches import TestImages
from engine.runtime.eval_mode import evaluating
from tests.support.networks import digits, evaluate, trained_digits


class Scaled(nn.Module):
    """The network with logits of the standard deviation 5, as our attack sees them, for an attack that does not."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(x)
        return logits * (5 / logits.detach().std(1, keepdim=True, correction=0))


@pytest.mark.parametrize("eps", [0.3, 0.6])
def test_pgd_in_l2_agrees_with_another_package_within_half_a_point(eps: float) -> None:
    torchattacks = pytest.importorskip("torchattacks", reason="needs the package torchattacks")
    model, (_, _, images, labels) = trained_digits(), digits()
    data = TestImages((images * 255).round().byte().permute(0, 2, 3, 1), labels)
    ours = evaluate(model, data, Threat(eps, "l2"), Pgd(20, 2, eps / 4), seed=0)
    with evaluating(model):
        wrong = model(images).argmax(1) != labels
        for seed in (0, 1):
            torch.manual_seed(seed)
            attack = torchattacks.PGDL2(Scaled(model), eps=eps, alpha=eps / 4, steps=20)
            with torch.enable_grad():
                adversarial = attack(images, labels)
            wrong |= model(adversarial).argmax(1) != labels
    theirs = 1 - wrong.float().mean().item()
    assert 0.05 < theirs < 0.95
    assert ours.robust == pytest.approx(theirs, abs=0.005 + 1e-9)
