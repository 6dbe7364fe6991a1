"""Attacks of several stages: each attacks what is left, in any batch, and goes on after a stop bit for bit."""

import copy
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from engine.attacks.apgd import ApgdCe, ApgdTargeted, RescaledApgdCe
from engine.attacks.pgd import Pgd
from engine.attacks.stage import Composite
from engine.attacks.threat import Threat
from engine.evaluation.evaluation import Evaluation
from engine.evaluation.settings import build_attack
from tests.engine.attacks.test_probe import digit_images
from tests.support.networks import InDouble, trained_digits

THREAT = Threat(0.1)
SHORT = Composite("short", (Pgd(2, 2, 0.04), RescaledApgdCe(steps=8), ApgdTargeted(3, steps=8)))


@cache
def network() -> nn.Module:
    return InDouble(trained_digits())


def new(batch: int = 20, attack: Composite = SHORT, model: nn.Module | None = None) -> Evaluation:
    return Evaluation(model or network(), digit_images().first(60), [(THREAT, attack)], 0, None, batch)


def survivors(evaluation: Evaluation) -> Tensor:
    evaluation.run()
    return evaluation.survivors[0]


def test_the_survivors_do_not_depend_on_the_batch() -> None:
    expected = survivors(new(60))
    assert torch.equal(survivors(new(7)), expected)
    assert 5 < expected.sum() < 55


class Seen(nn.Module):
    """A network that records the number of images of each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.counts = network(), list[int]()

    def forward(self, x: Tensor) -> Tensor:
        self.counts.append(len(x))
        found: Tensor = self.inner(x)
        return found


def test_later_parts_attack_what_earlier_parts_have_left_and_nothing_else() -> None:
    evaluation = new(60)
    accuracy = evaluation.run()[0]
    fooled = dict(accuracy.fooled_by)
    assert list(fooled) == ["pgd-2-2", "apgd-ce", "apgd-t"]
    right = round(accuracy.clean * 60)
    assert right - sum(fooled.values()) == round(accuracy.robust * 60) == int(evaluation.survivors[0].sum())
    model = Seen()
    new(60, Composite("first", (Pgd(2, 2, 0.04), ApgdCe(steps=1))), model).run()
    assert max(model.counts[-3:]) == right - fooled["pgd-2-2"]


@pytest.mark.parametrize("after", [4, 9, 15, 30])
def test_an_attack_of_several_stages_goes_on_after_a_stop_bit_for_bit(after: int) -> None:
    whole = new()
    expected = whole.run()
    stopped, looks = new(), 0

    def look(done: int, total: int) -> None:
        nonlocal looks
        looks += 1
        if looks == after:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        stopped.run(look)
    later = new()
    later.load_state_dict(copy.deepcopy(stopped.state_dict()))
    assert later.run() == expected
    assert torch.equal(later.survivors[0], whole.survivors[0])


def test_progress_of_version_0_1_which_knew_no_stages_is_read() -> None:
    state = new().state_dict()
    del state["fooled_by"]
    evaluation = new()
    evaluation.load_state_dict(state)
    assert evaluation.run() == new().run()


def test_a_data_set_of_few_classes_has_fewer_targets_or_none() -> None:
    assert [stage.parts for stage in build_attack("aa-quick", 0.1, 10).stages] == [2, 9]
    assert [stage.parts for stage in build_attack("aa-quick", 0.1, 4).stages] == [2, 3]
    assert [stage.name for stage in build_attack("aa-quick", 0.1, 3).stages] == ["apgd-ce"]


def test_apgd_attacks_a_network_of_two_classes() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logits = network()(x)
            return torch.stack((logits[:, :5].amax(1), logits[:, 5:].amax(1)), 1)

    data = digit_images().first(60)
    data.labels = (data.labels > 4).long()
    attack = build_attack("aa-quick", 0.1, 2)
    accuracy = Evaluation(Two(), data, [(THREAT, attack)], 0).run()[0]
    assert 0 < accuracy.robust < accuracy.clean - 0.2


def test_the_names_of_attacks_build_the_attacks() -> None:
    assert build_attack("pgd-7-3", 0.1, 10) == Pgd(7, 3, 0.1)
    both = build_attack("pgd-7+apgd-ce", 0.1, 10)
    assert (both.name, both.step_size, both.stages) == ("pgd-7+apgd-ce", 0.1, (Pgd(7, 1, 0.1), ApgdCe()))
    for autoattack in ("aa", "aa-quick"):
        assert build_attack(autoattack, 0.1, 10).stages[:2] == (RescaledApgdCe(), ApgdTargeted(9))
    assert build_attack("apgd-ce+apgd-t", 0.1, 10).stages == (ApgdCe(), ApgdTargeted(9))
    assert build_attack("aa", 0.1, 10).step_size == 0
    assert len({build_attack(name, 0.1, 10).inputs for name in ("aa", "aa-quick", "apgd-ce", "apgd-t")}) == 4
