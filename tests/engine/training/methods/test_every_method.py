"""What holds for every training method: where its perturbation stays, resumes, precisions, averages, activations."""

import copy
import io
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.attacks.threat import Threat
from engine.config.datasets import datasets
from engine.config.methods import methods
from engine.config.norms import Norm
from engine.config.presets import build
from engine.config.sections import OptimConfig
from engine.data.minibatch import Minibatch
from engine.models.build import build_network
from engine.training.learner import Learner
from engine.training.methods.step import step_of
from tests.support.by_hand import images, learner_on, network, rng
from tests.support.networks import CPU, CountingLearner

WIDE = {"nfgsm": 3.0, "sora": 3.0}  # how far a method goes beyond the ball, as a multiple of eps, by its paper
PERTURBING = [name for name in methods() if name != "standard"]


class Spy(CountingLearner):
    """A learner that notes the images that it is trained on."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model, OptimConfig(), lambda step: 0.01, CPU, "fp32", total_steps=4)
        self.trained_on: list[Tensor] = []

    def update(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor | None:
        self.trained_on.append(x.detach().clone())
        return super().update(x, *args, **kwargs)


@pytest.mark.parametrize(("name", "norm"), [(name, norm) for name in PERTURBING for norm in methods()[name].norms])
@given(
    eps=st.floats(0, 0.5, width=32),
    pixels=st.lists(st.sampled_from([0.0, 1.0]) | st.floats(0, 1, width=32), min_size=12, max_size=12),
    seed=st.integers(0, 1000),
)
@example(eps=0.0, pixels=[0.0, 1.0, 0.5] * 4, seed=0)
@example(eps=0.5, pixels=[0.0, 1.0, 0.5] * 4, seed=0)
@settings(max_examples=20, deadline=None)
def test_the_training_images_stay_where_the_paper_of_the_method_says(
    name: str, norm: Norm, eps: float, pixels: list[float], seed: int
) -> None:
    """Always in the image range [0,1], and in the eps ball unless the method leaves it on purpose."""
    torch.manual_seed(seed)
    learner = Spy(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)))
    step = step_of(build("digits", {"method.name": name, "eps": eps, "norm": norm}))
    x, y = torch.tensor(pixels).view(3, 1, 2, 2), torch.tensor([0, 1, 2])
    delta: Tensor | None = None
    for number in range(3):
        delta = step(learner, Minibatch(x, y, torch.arange(3), delta), Threat(eps, norm), rng(seed + number))
        seen = learner.trained_on[-1]
        assert seen.min() >= 0
        assert seen.max() <= 1
        length = (seen - x).flatten(1).norm(dim=1) if norm == "l2" else (seen - x).abs()
        assert length.max() <= WIDE.get(name, 1.0) * eps + 1e-6


def train(learner: Learner, name: str, first: int, last: int) -> None:
    """The updates from `first` up to `last` by a method, each with noise of its own."""
    step = step_of(build("digits", {"method.name": name, "eps": 0.1}))
    for number in range(first, last):
        step(learner, images(12 * number), Threat(0.1), rng(number))


@pytest.mark.parametrize("name", methods())
def test_a_learner_that_is_stored_and_restored_goes_on_to_the_same_weights(name: str) -> None:
    whole, first = learner_on(network()), learner_on(network())
    train(whole, name, 0, 5)
    train(first, name, 0, 3)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = learner_on(network(seed=1))
    second.load_state_dict(torch.load(file, weights_only=True))
    train(second, name, 3, 5)
    for p, q in zip(second.model.state_dict().values(), whole.model.state_dict().values(), strict=True):
        assert torch.equal(p, q)
    assert second.figures() == whole.figures()
    assert second.alignment() == whole.alignment()
    assert second.memory.keys() == whole.memory.keys()
    assert all(torch.equal(value, whole.memory[key]) for key, value in second.memory.items())


def test_a_checkpoint_without_a_memory_is_read_as_one_of_a_method_without_one() -> None:
    learner = learner_on(network())
    train(learner, "fgsm", 0, 1)
    state = learner.state_dict()
    assert not {"memory", "alignment"} & state.keys()
    learner.load_state_dict(state)
    assert learner.memory == {}
    assert learner.alignment() is None


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", methods())
def test_low_precision_makes_nearly_the_same_update(name: str, precision: str) -> None:
    found = []
    for chosen in ("fp32", precision):
        learner = learner_on(network(), chosen)
        train(learner, name, 0, 2)
        assert learner.finite()
        found.append(torch.cat([p.detach().flatten() for p in learner.model.parameters()]))
    start = torch.cat([p.detach().flatten() for p in network().parameters()])
    assert (found[1] - found[0]).norm() < 0.3 * (found[0] - start).norm()


@pytest.mark.parametrize("activation", ["silu", "gelu"])
@pytest.mark.parametrize("name", methods())
def test_smooth_activations_and_averaged_weights_work_with_every_method(name: str, activation: str) -> None:
    small = {"model.name": "preact-resnet18", "model.width": 2, "model.depth": 1, "model.activation": activation}
    config = build("digits", {"method.name": name, "optim.average": 0.5, "optim.label_smoothing": 0.1, **small})
    torch.manual_seed(0)
    model = build_network(config.model, datasets()["digits"].facts)
    before = copy.deepcopy(model.state_dict())
    learner = Learner(model, config.optim, lambda step: 0.01, CPU, "fp32", total_steps=2)
    for number in range(2):
        step_of(config)(learner, images(12 * number), Threat(0.1), rng(number))
    assert learner.finite()
    assert learner.result is not learner.model
    moved = [key for key, value in learner.result.state_dict().items() if not torch.equal(value, before[key])]
    assert len(moved) > len(before) / 2
