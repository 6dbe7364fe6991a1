"""Each training method agrees with its algorithm written out: the perturbation and the weight update."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.attacks.threat import Threat
from engine.config.methods import methods
from engine.config.norms import Norm
from engine.config.presets import build
from engine.config.sections import OptimConfig
from engine.data.minibatch import Minibatch
from engine.training.methods.fgsm import fgsm
from engine.training.methods.free import free
from engine.training.methods.nfgsm import nfgsm
from engine.training.methods.pgd import pgd
from engine.training.methods.standard import standard
from engine.training.methods.step import step_of
from tests.support.networks import CPU, CountingLearner, digits, digits_model, make_learner

EPS, ALPHA, RATE = 0.2, 0.25, 0.05
SGD: dict[str, Any] = {"lr": RATE, "momentum": 0.0, "weight_decay": 0.0}


def rng(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def minibatch(start: int = 0, count: int = 12) -> tuple[Tensor, Tensor]:
    images, labels, _, _ = digits()
    return images[start : start + count].clone(), labels[start : start + count].clone()


def batch(x: Tensor, y: Tensor, delta: Tensor | None = None) -> Minibatch:
    return Minibatch(x, y, torch.arange(len(y)), delta)


def projected(x: Tensor, delta: Tensor, eps: float = EPS) -> Tensor:
    """Project pixel by pixel: into the ball, then into the image range."""
    values = []
    for pixel, d in zip(x.flatten().tolist(), delta.flatten().tolist(), strict=True):
        d = min(max(d, -eps), eps)
        values.append(min(max(pixel + d, 0.0), 1.0) - pixel)
    return torch.tensor(values).view_as(x)


def moved(x: Tensor, delta: Tensor, gradient: Tensor, alpha: float, eps: float = EPS) -> Tensor:
    steps = [alpha * ((g > 0) - (g < 0)) for g in gradient.flatten().tolist()]
    return projected(x, delta + torch.tensor(steps).view_as(x), eps)


def full_backward(model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of the mean loss with respect to x, and each example's loss; parameters keep theirs in .grad."""
    model.zero_grad()
    x = x.clone().requires_grad_()
    losses = F.cross_entropy(model(x), y, reduction="none")
    losses.mean().backward()
    assert x.grad is not None
    return x.grad, losses.detach()


def descend(model: nn.Module) -> None:
    with torch.no_grad():
        for p in model.parameters():
            assert p.grad is not None
            p -= RATE * p.grad


def assert_same_weights(model: nn.Module, other: nn.Module) -> None:
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-6)


def uniform(x: Tensor, seed: int = 3, eps: float = EPS) -> Tensor:
    return torch.empty_like(x).uniform_(-eps, eps, generator=rng(seed))


def test_standard_training_updates_on_the_clean_images() -> None:
    x, y = minibatch()
    learner, model = make_learner(**SGD), digits_model()
    assert standard(learner, batch(x, y), Threat(EPS), rng()) is None
    full_backward(model, x, y)
    descend(model)
    assert_same_weights(learner.model, model)


@pytest.mark.parametrize("start_in_box", [True, False])
def test_fgsm_with_a_random_start_agrees_with_its_algorithm_by_hand(start_in_box: bool) -> None:
    x, y = minibatch()
    learner, model = make_learner(**SGD), digits_model()
    for seed in (3, 4):
        delta = fgsm(learner, batch(x, y), Threat(EPS), rng(seed), alpha=ALPHA, start_in_box=start_in_box)
        start = projected(x, uniform(x, seed)) if start_in_box else uniform(x, seed)
        expected = moved(x, start, full_backward(model, x + start, y)[0], ALPHA)
        torch.testing.assert_close(delta, expected)
        full_backward(model, x + expected, y)
        descend(model)
        assert_same_weights(learner.model, model)


@pytest.mark.parametrize("seed", [3, 4])
def test_n_fgsm_agrees_with_its_algorithm_by_hand(seed: int) -> None:
    """N-FGSM starts from noise beyond the ball, takes a step, and clips to [0,1] but not to the ball."""
    x, y = minibatch()
    learner, model = make_learner(**SGD), digits_model()
    delta = nfgsm(learner, batch(x, y), Threat(EPS), rng(seed), alpha=0.2, noise=2.0)
    noise = uniform(x, seed, 2 * EPS)
    gradient, _ = full_backward(model, x + noise, y)
    expected = (x + noise + 0.2 * gradient.sign()).clamp(0, 1) - x
    assert delta is not None
    torch.testing.assert_close(delta, expected, atol=1e-6, rtol=0)
    assert delta.abs().max() > 2 * EPS
    full_backward(model, x + expected, y)
    descend(model)
    assert_same_weights(learner.model, model)


def test_a_smaller_noise_setting_makes_a_smaller_random_start() -> None:
    x, y = minibatch()
    delta = fgsm(make_learner(**SGD), batch(x, y), Threat(EPS), rng(), alpha=0.0, noise=0.25)
    torch.testing.assert_close(delta, projected(x, uniform(x, 3, EPS / 4)))


def test_fgsm_that_starts_from_zero_ignores_the_carried_perturbation() -> None:
    x, y = minibatch()
    expected = moved(x, torch.zeros_like(x), full_backward(digits_model(), x, y)[0], ALPHA)
    for carried in (None, torch.full_like(x, 0.1)):
        delta = fgsm(make_learner(), batch(x, y, carried), Threat(EPS), rng(), alpha=ALPHA, init="zero")
        torch.testing.assert_close(delta, expected)


def test_fgsm_that_starts_from_the_previous_perturbation_agrees_with_its_algorithm_by_hand() -> None:
    learner, model = make_learner(**SGD), digits_model()
    carried: Tensor | None = None
    for start, count in [(0, 12), (12, 12), (24, 5), (0, 12)]:  # the last minibatch of an epoch is smaller
        x, y = minibatch(start, count)
        begin = torch.zeros_like(x)
        for row in range(min(count, 0 if carried is None else len(carried))):
            assert carried is not None
            begin[row] = carried[row]
        begin = projected(x, begin)
        expected = moved(x, begin, full_backward(model, x + begin, y)[0], ALPHA)
        full_backward(model, x + expected, y)
        descend(model)
        carried = fgsm(learner, batch(x, y, carried), Threat(EPS), rng(), alpha=ALPHA, init="previous")
        torch.testing.assert_close(carried, expected)
        assert_same_weights(learner.model, model)


def test_pgd_training_agrees_with_its_algorithm_by_hand() -> None:
    x, y = minibatch()
    learner, model = make_learner(**SGD), digits_model()
    expected = projected(x, uniform(x))
    for _ in range(4):
        expected = moved(x, expected, full_backward(model, x + expected, y)[0], 0.07)
    delta = pgd(learner, batch(x, y), Threat(EPS), rng(), alpha=0.07, steps=4)
    torch.testing.assert_close(delta, expected)
    full_backward(model, x + expected, y)
    descend(model)
    assert_same_weights(learner.model, model)


def test_pgd_training_keeps_the_worst_restart_of_each_example() -> None:
    x, y = minibatch()
    model, noise = digits_model(), rng()
    tries = []
    for _ in range(3):
        delta = projected(x, torch.empty_like(x).uniform_(-EPS, EPS, generator=noise))
        for _ in range(2):
            delta = moved(x, delta, full_backward(model, x + delta, y)[0], 0.07)
        tries.append((delta, full_backward(model, x + delta, y)[1].tolist()))
    found = pgd(make_learner(), batch(x, y), Threat(EPS), rng(), alpha=0.07, steps=2, restarts=3)
    chosen = [max(range(3), key=lambda n: tries[n][1][row]) for row in range(len(x))]
    assert len(set(chosen)) > 1
    for row, best in enumerate(chosen):
        torch.testing.assert_close(found[row], tries[best][0][row])


def test_free_training_agrees_with_its_algorithm_by_hand() -> None:
    learner, model = make_learner(**SGD), digits_model()
    carried: Tensor | None = None
    expected = torch.zeros(12, 1, 8, 8)
    for start, count in [(0, 12), (12, 12), (24, 5)]:
        x, y = minibatch(start, count)
        for _ in range(3):  # three replays of one minibatch
            expected = projected(x, expected[:count])
            gradient, _ = full_backward(model, x + expected, y)
            descend(model)  # the same backward pass updates the weights
            expected = moved(x, expected, gradient, EPS)
            carried = free(learner, batch(x, y, carried), Threat(EPS), rng(), alpha=EPS)
            torch.testing.assert_close(carried, expected)
            assert_same_weights(learner.model, model)
    assert learner.step == 9


def test_free_training_starts_from_zero_where_a_smaller_minibatch_left_no_perturbation() -> None:
    x, y = minibatch()
    carried = torch.full((5, 1, 8, 8), 0.1)
    seen = Spy()
    free(seen, batch(x, y, carried), Threat(EPS), rng(), alpha=EPS)
    torch.testing.assert_close(seen.trained_on[0][:5], (x[:5] + 0.1).clamp(0, 1))
    assert torch.equal(seen.trained_on[0][5:], x[5:])


def test_free_training_makes_one_backward_pass_a_step() -> None:
    x, y = minibatch()
    learner, passes = make_learner(), []
    learner.model.register_forward_hook(lambda *_: passes.append(1))
    free(learner, batch(x, y), Threat(EPS), rng(), alpha=EPS)
    assert len(passes) == 1


def test_the_overfitting_signal_is_the_fraction_of_losses_that_the_attack_lowered_by_more_than_a_hundredth() -> None:
    x, y = minibatch(count=40)
    model = digits_model()
    start = projected(x, uniform(x))
    gradient, before = full_backward(model, x + start, y)
    after = full_backward(model, x + moved(x, start, gradient, ALPHA), y)[1]
    share = sum(a < b - 0.01 for a, b in zip(after.tolist(), before.tolist(), strict=True)) / len(y)
    learner = make_learner(model)
    fgsm(learner, batch(x, y), Threat(EPS), rng(), alpha=ALPHA)
    assert learner.figures()[2] == pytest.approx(share)


def test_the_overfitting_signal_is_near_1_for_an_attack_that_lowers_losses_and_0_for_free_training() -> None:
    x, y = minibatch(count=40)
    extras: dict[str, dict[str, Any]] = {"fgsm": {}, "pgd": {"steps": 2}}
    for name, extra in extras.items():
        contrary = Contrary()
        methods()[name].step(contrary, batch(x, y), Threat(5 * EPS), rng(), alpha=5 * ALPHA, **extra)
        assert contrary.figures()[2] > 0.8
    without = make_learner()
    free(without, batch(x, y), Threat(EPS), rng(), alpha=ALPHA)
    assert without.figures()[2] == 0


class Spy(CountingLearner):
    """A learner that notes the images that it is trained on."""

    def __init__(self, model: nn.Module | None = None) -> None:
        super().__init__(
            model or digits_model(), OptimConfig(**SGD, schedule="constant"), lambda step: RATE, CPU, "fp32"
        )
        self.trained_on: list[Tensor] = []

    def update(self, x: Tensor, y: Tensor, *rest: Any, **more: Any) -> Tensor | None:
        self.trained_on.append(x.detach().clone())
        return super().update(x, y, *rest, **more)


class Contrary(Spy):
    """A learner with the wrong sign: its attacks lower the loss."""

    def input_grad(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        gradient, losses = super().input_grad(x, y)
        return -gradient, losses


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("fgsm", {"init": "random"}),
    ("fgsm", {"init": "random", "start_in_box": False}),
    ("fgsm", {"init": "zero"}),
    ("fgsm", {"init": "previous"}),
    ("pgd", {"steps": 2, "restarts": 2}),
    ("pgd", {"steps": 1, "start_in_box": False}),
    ("free", {}),
    ("trades", {"steps": 2}),
    ("nuat", {}),
    ("gat", {}),
    ("liet", {}),
    ("fgsm-uap", {}),
    # N-FGSM and SORA leave the ball on purpose; tests of their own compare them with their formulas
]


@pytest.mark.parametrize(
    ("name", "extra", "norm"), [(name, extra, norm) for name, extra in VARIANTS for norm in methods()[name].norms]
)
@given(
    eps=st.floats(0, 1, width=32),
    alpha=st.floats(0, 1, width=32),
    pixels=st.lists(st.sampled_from([0.0, 1.0]) | st.floats(0, 1, width=32), min_size=12, max_size=12),
    carried=st.none() | st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=8),
    seed=st.integers(0, 1000),
)
@example(eps=0.0, alpha=0.1, pixels=[0.0, 1.0, 0.5] * 4, carried=None, seed=0)
@example(eps=1.0, alpha=1.0, pixels=[0.0, 1.0, 0.5] * 4, carried=[1.0, -1.0] * 4, seed=0)
@settings(max_examples=25, deadline=None)
def test_the_perturbation_of_every_method_stays_in_ball_and_image_range(
    name: str,
    extra: dict[str, Any],
    norm: Norm,
    eps: float,
    alpha: float,
    pixels: list[float],
    carried: list[float] | None,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    learner = Spy(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)))
    x, y = torch.tensor(pixels).view(3, 1, 2, 2), torch.tensor([0, 1, 2])
    delta = None if carried is None else torch.tensor(carried).view(2, 1, 2, 2)
    for step in range(2):
        spec, noise = methods()[name], rng(seed + step)
        options = {**spec.defaults, **extra}
        delta = spec.step(learner, batch(x, y, delta), Threat(eps, norm), noise, alpha=alpha, **options)
        assert delta is not None
        for seen in (x + delta, learner.trained_on[-1]):
            assert seen.min() >= 0
            assert seen.max() <= 1
            assert largest(seen - x, norm) <= eps + 1e-6
        # A length in float32 is rounded; below 1e-38 the numbers have too few digits for a relative bound.
        assert largest(delta, norm) <= (eps if norm == "linf" else eps * (1 + 1e-6) + 1e-44)


def largest(delta: Tensor, norm: Norm) -> float:
    """The largest pixel for linf, the longest perturbation of an image for l2."""
    if norm == "linf":
        return float(delta.abs().max())
    return max(sum(value**2 for value in image.flatten().tolist()) ** 0.5 for image in delta)


def test_methods_in_l2_step_along_the_normalised_gradient() -> None:
    """N-FGSM, FGSM and PGD from their starts, with the step written out image by image."""
    x, y = minibatch()
    model, threat = digits_model(), Threat(0.6, "l2")

    def stepped(start: Tensor, alpha: float, clip_to_ball: bool) -> Tensor:
        gradient = full_backward(model, x + start, y)[0]
        found = []
        for pixels, d, g in zip(x, start, gradient, strict=True):
            delta = d + alpha * g / g.norm()
            if clip_to_ball and delta.norm() > 0.6:
                delta = delta * (0.6 / delta.norm())
            found.append((pixels + delta).clamp(0, 1) - pixels)
        return torch.stack(found)

    zero = torch.zeros_like(x)
    delta = fgsm(make_learner(digits_model(), **SGD), batch(x, y), threat, rng(), alpha=0.75, init="zero")
    torch.testing.assert_close(delta, stepped(zero, 0.75, clip_to_ball=True), atol=1e-6, rtol=1e-4)
    noise = threat.uniform(x, rng(), in_box=False, scale=2.0)
    delta = nfgsm(make_learner(digits_model(), **SGD), batch(x, y), threat, rng(), alpha=0.6, noise=2.0)
    torch.testing.assert_close(delta, stepped(noise, 0.6, clip_to_ball=False), atol=1e-6, rtol=1e-4)
    assert delta.flatten(1).norm(dim=1).max() > 0.6
    start = threat.uniform(x, rng())
    expected = stepped(stepped(start, 0.15, clip_to_ball=True), 0.15, clip_to_ball=True)
    delta = pgd(make_learner(digits_model(), **SGD), batch(x, y), threat, rng(), alpha=0.15, steps=2)
    torch.testing.assert_close(delta, expected, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "typed", "options"),
    [
        ("standard", {}, {}),
        ("fgsm", {"method.init": "zero"}, {"alpha": 0.125, "init": "zero", "noise": 1.0, "start_in_box": True}),
        ("nfgsm", {"method.noise": 1.5}, {"alpha": 0.1, "noise": 1.5}),
        ("pgd", {"method.steps": 2}, {"alpha": 0.025, "steps": 2, "restarts": 1, "start_in_box": True}),
        ("free", {"method.replays": 3, "method.alpha": 0.05}, {"alpha": 0.05, "replays": 3}),
    ],
)
def test_a_run_gives_each_method_the_options_that_it_takes(
    name: str, typed: dict[str, Any], options: dict[str, Any]
) -> None:
    step = step_of(build("digits", {"method.name": name, "eps": 0.1, **typed}))
    assert step.keywords == pytest.approx(options)
    x, y = minibatch()
    step(make_learner(), batch(x, y), Threat(0.1), rng())


def test_a_method_draws_its_noise_from_the_given_generator_alone() -> None:
    x, y = minibatch()
    made = []
    for global_seed in (1, 2):
        learner = make_learner(copy.deepcopy(digits_model()))
        torch.manual_seed(global_seed)
        made.append(fgsm(learner, batch(x, y), Threat(EPS), rng(), alpha=ALPHA))
    assert torch.equal(*made)
