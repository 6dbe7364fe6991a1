"""Our APGD beside that of pyautoattack, and the attacks that the package makes for us."""

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from engine.attacks.apgd import ApgdCe, ApgdTargeted, fooled_by_apgd, start_noise
from engine.attacks.objectives import TargetedDlr, ranked_target
from engine.attacks.package_attacks import FabTargeted, Square
from engine.attacks.probe import Probe
from engine.attacks.stage import Composite
from engine.attacks.threat import Threat
from engine.config.norms import L2
from engine.evaluation.evaluation import Evaluation
from engine.runtime.eval_mode import evaluating
from engine.runtime.rng import image_noise
from tests.engine.attacks.test_probe import Quantised, digit_images
from tests.support.networks import InDouble, digits, trained_digits

pyautoattack = pytest.importorskip("pyautoattack", reason="the extra `autoattack` is not installed")

EPS = 0.1


@cache
def network() -> nn.Module:
    return InDouble(trained_digits())


def left_by(stage: ApgdCe | ApgdTargeted | FabTargeted | Square, model: nn.Module, count: int, batch: int) -> Tensor:
    """Which of the first images a stage does not fool, or the model misclassifies: bool, (count,)."""
    evaluation = Evaluation(
        model, digit_images().first(count), [(Threat(EPS), Composite("one", (stage,)))], 0, None, batch
    )
    evaluation.run()
    return evaluation.survivors[0]


@pytest.mark.parametrize("loss", ["ce", "dlr-targeted"])
@pytest.mark.parametrize(("threat", "norm"), [(Threat(EPS), "Linf"), (Threat(0.7, L2), "L2")])
def test_apgd_from_the_same_start_fools_the_images_that_the_package_fools(threat: Threat, norm: str, loss: str) -> None:
    from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted

    model, (_, _, x, y) = network(), digits()
    with evaluating(model):
        with torch.no_grad():
            right = (model(x).argmax(1) == y).nonzero().flatten()[:40]
            x, y = x[right].contiguous(), y[right]
            target = ranked_target(model(x), y, 1)
        start = start_noise(threat, x, image_noise(0, 0, right, x.shape[1:]))
        kind = APGDAttack if loss == "ce" else APGDAttack_targeted
        theirs = kind(model, eps=threat.eps, norm=norm, device=x.device)
        theirs.init_hyperparam(x)
        theirs.y_target = target
        robust = theirs.attack_single_run(x, y, x_init=x + start)[1]
        if loss == "ce":
            ours, _ = ApgdCe().attack(Probe(model), x, y, right, threat, 0, range(1))
        else:
            ours, _ = fooled_by_apgd(Probe(model), x, y, start, TargetedDlr(y, target), threat, 100)
    assert int((ours == robust).sum()) <= 1  # the package compares losses in float32
    assert 2 < int(ours.sum()) < 38


def test_square_of_the_package_does_not_depend_on_the_minibatch_and_needs_no_gradient() -> None:
    square = Square(queries=60)
    found = left_by(square, network(), 40, 40)
    assert torch.equal(found, left_by(square, network(), 40, 7))
    hidden = Quantised(trained_digits()).eval()
    by_gradient = left_by(ApgdCe(steps=10), hidden, 40, 40)
    assert left_by(square, hidden, 40, 40).sum() < by_gradient.sum()


def test_fab_of_the_package_fools_images_within_the_ball_in_any_minibatch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.attacks.package_attacks.FAB_STEPS", 10)
    found = left_by(FabTargeted(2), network(), 30, 30)
    assert torch.equal(found, left_by(FabTargeted(2), network(), 30, 7))
    assert 2 < found.sum() < 28


def test_the_package_leaves_the_global_random_numbers_and_reports_its_progress() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    ticks: list[tuple[int, int]] = []
    attack = Composite("two", (ApgdCe(steps=3), Square(queries=20)))
    evaluation = Evaluation(network(), digit_images().first(20), [(Threat(EPS), attack)], 0)
    found = evaluation.run(lambda done, total: ticks.append((done, total)))[0]
    assert torch.rand(1) == expected
    assert len(ticks) > 15
    assert all(done < total for done, total in ticks[1:-1])
    assert ticks[-1][0] == ticks[-1][1]
    assert [name for name, _ in found.fooled_by] == ["apgd-ce", "square"]
    assert round((found.clean - found.robust) * 20) == sum(count for _, count in found.fooled_by)
