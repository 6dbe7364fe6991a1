"""Clean and robust accuracy: the same in any batch, never raised by a stronger attack, equal to the textbook."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from textbook import pgd_robust
from torch import nn

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.data.memory.batches import TestImages
from engine.data.memory.datasets import open_arrays
from engine.evaluation.evaluation import Accuracy, Evaluation, attacked_accuracy, clean_answers, fgsm_accuracy
from engine.runtime.eval_mode import evaluating
from engine.runtime.rng import image_noise
from tests.support.networks import CPU, InDouble, digits_model, evaluate, trained_digits
from tests.support.textbook_pgd import textbook

THREAT = Threat(0.1)


@cache
def images(count: int = 0) -> TestImages:
    arrays = open_arrays("digits", "")
    return TestImages.load(arrays.test_images, arrays.test_labels, CPU).first(count)


@cache
def model(noise: float = 0.1) -> nn.Module:
    return InDouble(trained_digits(noise=noise))


def test_clean_and_robust_accuracy_are_those_of_the_textbook_attack() -> None:
    attack, test = Pgd(3, 2, 0.04), images(40)
    x, y = test[torch.arange(40)]
    right, left, answers = 0, 0, set()
    for n in range(40):
        one, label = x[n : n + 1], y[n : n + 1]
        answer = int(model()(one).argmax())
        answers.add(answer)
        correct = answer == int(label)
        right += correct
        left += correct and not any(textbook(model(), one, label, n, 0.1, attack, seed=2))
    assert evaluate(model(), test, THREAT, attack, seed=2) == Accuracy(right / 40, left / 40, 40, answers=len(answers))
    assert left < right


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_accuracy_does_not_depend_on_the_batch_size(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    expected = evaluate(model(), images(60), THREAT, Pgd(4, 2, 0.04), seed=0)
    monkeypatch.setattr("engine.evaluation.evaluation.BATCH", size)
    assert evaluate(model(), images(60), THREAT, Pgd(4, 2, 0.04), seed=0) == expected


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_pgd_50_10_never_reports_more_than_pgd_10_1(noise: float) -> None:
    weak = evaluate(model(noise), images(60), THREAT, Pgd(10, 1, 0.025), seed=0)
    strong = evaluate(model(noise), images(60), THREAT, Pgd(50, 10, 0.025), seed=0)
    assert strong.clean == weak.clean
    assert strong.robust <= weak.robust <= weak.clean


def test_more_restarts_never_raise_robust_accuracy() -> None:
    found = [evaluate(model(), images(60), THREAT, Pgd(2, n, 0.04), seed=0).robust for n in (1, 2, 4, 8)]
    assert found == sorted(found, reverse=True)


def test_robust_accuracy_at_eps_0_is_clean_accuracy() -> None:
    accuracy = evaluate(model(), images(), Threat(0.0), Pgd(3, 2, 0.1), seed=0)
    assert accuracy.robust == accuracy.clean > 0.5


def test_clean_accuracy_is_the_fraction_counted_by_hand() -> None:
    arrays = open_arrays("digits", "")
    with torch.no_grad():
        logits = model()(torch.from_numpy(arrays.test_images).permute(0, 3, 1, 2) / 255).numpy()
    right = logits.argmax(1) == arrays.test_labels
    parts = [clean_answers(model(), images(), some)[0] for some in torch.arange(360).split(7)]
    assert np.array_equal(torch.cat(parts).numpy(), right)
    found = evaluate(model(), images(), THREAT, Pgd(1, 1, 0.0), seed=0)
    assert found.clean == pytest.approx(right.mean())
    assert found.answers == len(set(logits.argmax(1).tolist()))


def test_a_model_that_is_always_wrong_is_not_attacked() -> None:
    class Wrong(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), 11).index_fill(1, torch.tensor([10]), 1.0)

    assert evaluate(Wrong(), images(), THREAT, Pgd(5, 3, 0.1), seed=0) == Accuracy(0.0, 0.0, 360, answers=1)


@pytest.mark.parametrize("restarts", [1, 3])
def test_reported_progress_rises_until_it_reaches_the_total(restarts: int) -> None:
    ticks: list[tuple[int, int]] = []
    evaluate(model(), images(), THREAT, Pgd(1, restarts, 0.1), 0, lambda done, total: ticks.append((done, total)))
    assert [done for done, _ in ticks] == sorted(done for done, _ in ticks)
    assert all(done <= total for done, total in ticks)
    assert ticks[-1][0] == ticks[-1][1]
    assert len(ticks) > restarts


@pytest.mark.parametrize("steps", [10, 60])  # in 60 steps, most searches end early in a cycle
def test_the_forecast_of_the_total_work_is_near_the_truth_early_on(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    monkeypatch.setattr("engine.evaluation.evaluation.BATCH", 20)
    ticks: list[tuple[int, int]] = []
    evaluate(model(), images(), THREAT, Pgd(steps, 5, 0.025), 0, lambda done, total: ticks.append((done, total)))
    truth = ticks[-1][0]
    early = next(place for place, (done, _) in enumerate(ticks) if done > 360 + truth // 5)
    assert all(0.7 * truth < total < 1.4 * truth for _, total in ticks[early:])
    assert all(total > 0.7 * truth for _, total in ticks)


def test_reported_progress_moves_with_every_step_of_a_batch() -> None:
    """On a CPU a batch of a wide network takes a minute. Meanwhile the bar must move and a stop must be seen."""
    ticks: list[tuple[int, int]] = []
    attack = Pgd(9, 1, 1e-6)  # steps so small that they fool no image, and lead to no border of the ball
    whole = evaluate(model(), images(40), Threat(1e-4), attack, 0, lambda done, total: ticks.append((done, total)))
    right = round(whole.clean * 40)
    assert [done for done, _ in ticks] == [40, *(40 + right * step for step in range(1, 10)), 40 + right * 9]
    assert {total for _, total in ticks[:-2]} == {40 + right * 9} == {ticks[-1][1]}


class Interrupted(Exception):  # noqa: N818 - it is no error
    pass


@pytest.mark.parametrize("batches", [1, 4, 11])
def test_an_interrupted_evaluation_continues_to_the_same_accuracy(
    monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    """It is interrupted many times, also within a batch, and continues in a new object each time, as after a kill."""
    monkeypatch.setattr("engine.evaluation.evaluation.BATCH", 20)
    attacks = [(Threat(0.05), Pgd(4, 2, 0.02)), (THREAT, Pgd(4, 2, 0.04))]
    whole = Evaluation(model(), images(100), attacks, seed=0).run()
    state, work, interruptions = None, [0], 0
    while True:
        evaluation = Evaluation(model(), images(100), attacks, seed=0)
        if state:
            evaluation.load_state_dict(copy.deepcopy(state))
        ticks: list[tuple[int, int]] = []
        begun: set[object] = set()

        def look(
            done: int,
            total: int,
            evaluation: Evaluation = evaluation,
            ticks: list[tuple[int, int]] = ticks,
            begun: set[object] = begun,
        ) -> None:
            ticks.append((done, total))
            now = evaluation.state_dict()
            begun.add((now["seen"], len(now["accuracies"]), now["place"][:2]))
            if len(begun) > batches and done < total:
                raise Interrupted

        try:
            assert evaluation.run(look) == whole
            break
        except Interrupted:
            state, interruptions = evaluation.state_dict(), interruptions + 1
            work.append(ticks[-1][0])
    assert interruptions >= 1
    assert work == sorted(set(work))  # each part of the work was done once


def test_several_eps_at_once_give_the_accuracies_of_one_at_a_time() -> None:
    attacks = [(Threat(eps), Pgd(3, 2, eps / 2)) for eps in (0.02, 0.1, 0.05)]
    together = Evaluation(model(), images(60), attacks, seed=0).run()
    assert together == [evaluate(model(), images(60), threat, attack, 0) for threat, attack in attacks]
    assert together[0].robust > together[2].robust > together[1].robust


def test_an_image_that_a_search_in_low_precision_fools_is_fooled_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every success is confirmed in float32: a model that fails in bf16 alone keeps its accuracy."""

    class FailsInLowPrecision(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = self.model(x)
            return -logits if torch.is_autocast_enabled("cpu") else logits

    right = evaluate(model(), images(40), Threat(0.0), Pgd(3, 2, 0.0), 0)
    found = Evaluation(
        FailsInLowPrecision(model()), images(40), [(Threat(0.0), Pgd(3, 2, 0.0))], 0, torch.bfloat16
    ).run()
    assert found == [right]


def collapsed() -> nn.Module:
    """A model with masked gradients: its logits saturate, and sign steps stand still in most pixels."""

    class Masked(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 40 * self.model((8 * x).round() / 8 + 0.05 * (x - x.detach()))

    return Masked(trained_digits(noise=0.0))


@pytest.mark.parametrize("which", ["robust", "plain", "collapsed"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_search_in_low_precision_is_as_strong_as_the_textbook(which: str, dtype: torch.dtype) -> None:
    """The mean over 5 seeds is no higher than the textbook's plus its spread over the seeds."""
    victim, plain = textbook_over_seeds(which)
    threat, attack = Threat(0.06), Pgd(10, 3, 0.02)
    ours = [Evaluation(victim, images(120), [(threat, attack)], seed, dtype).run()[0].robust for seed in range(5)]
    assert np.mean(ours) <= np.mean(plain) + np.std(plain)


@cache
def textbook_over_seeds(which: str) -> tuple[nn.Module, list[float]]:
    """A model and what the textbook leaves of its accuracy on 120 images, for each of 5 seeds."""
    victim = collapsed() if which == "collapsed" else trained_digits(noise=0.1 if which == "robust" else 0.0)
    x, y = images(120)[torch.arange(120)]
    with evaluating(victim):
        return victim, [share(pgd_robust(victim, x, y, 0.06, 0.02, 10, 3, start=starts(s, x))) for s in range(5)]


def share(mask: torch.Tensor) -> float:
    return int(mask.sum()) / len(mask)


def starts(seed: int, x: torch.Tensor) -> Callable[[int], torch.Tensor]:
    numbers = torch.arange(len(x))
    return lambda restart: 0.06 * image_noise(seed, restart, numbers, x.shape[1:])


def test_a_search_in_float32_fools_every_image_that_the_textbook_fools() -> None:
    """In float64, because sums in another order may decide a tie otherwise."""
    test, attack = images(80), Pgd(10, 3, 0.02)
    x, y = test[torch.arange(80)]
    left = pgd_robust(model(), x, y, 0.06, 0.02, 10, 3, start=starts(0, x))
    evaluation = Evaluation(model(), test, [(Threat(0.06), attack)], seed=0)
    evaluation.run()
    assert not (evaluation.survivors[0] & ~left).any()
    assert 0 < int(evaluation.survivors[0].sum()) < 80


def test_an_error_of_the_progress_callback_ends_an_evaluation_and_restores_training_mode() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    trained = trained_digits(updates=1)
    with pytest.raises(KeyboardInterrupt):
        evaluate(trained, images(), THREAT, Pgd(1, 1, 0.1), 0, stop)
    assert trained.training
    assert all(p.requires_grad for p in trained.parameters())


def test_an_evaluation_changes_nothing_of_the_model() -> None:
    trained = digits_model()
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    evaluate(trained, images(40), THREAT, Pgd(2, 2, 0.1), 0)
    assert all(torch.equal(before[name], value) for name, value in trained.state_dict().items())
    assert all(p.grad is None for p in trained.parameters())


def test_one_minibatch_is_evaluated_as_a_data_set_is() -> None:
    x, y = images(40)[torch.arange(40)]
    found = attacked_accuracy(model(), x, y, THREAT, Pgd(3, 2, 0.04), seed=0)
    expected = evaluate(model(), images(40), THREAT, Pgd(3, 2, 0.04), seed=0)
    assert (found.clean, found.robust) == pytest.approx((expected.clean, expected.robust), abs=1e-6)


@pytest.mark.parametrize("attack", [Pgd(10, 1, 0.025), Pgd(3, 3, 0.1)])
def test_the_noise_of_an_attack_depends_on_the_seed_alone(attack: Pgd) -> None:
    def found(seed: int, global_seed: int) -> Any:
        torch.manual_seed(global_seed)
        return evaluate(model(), images(60), THREAT, attack, seed)

    assert found(0, 1) == found(0, 2)


def test_accuracy_under_fgsm_is_that_of_one_step_from_each_clean_image() -> None:
    x, y = images(60)[torch.arange(60)]
    right = 0
    for n in range(60):
        one = x[n : n + 1].clone().requires_grad_()
        logits = model()(one)  # the attacks of evaluations see them at a standard deviation of 5
        nn.functional.cross_entropy(logits * (5 / logits.detach().std(correction=0)), y[n : n + 1]).backward()
        assert one.grad is not None
        stepped = (one.detach() + THREAT.eps * one.grad.sign()).clamp(0, 1)
        right += int(model()(stepped).argmax() == y[n])
    assert 0 < right < 60
    assert fgsm_accuracy(model(), x, y, THREAT) == pytest.approx(right / 60)
