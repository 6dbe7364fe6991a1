"""The FLOPs of a run agree with a count by hand, and with a count of the operators that the methods execute."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from engine.attacks.threat import Threat
from engine.config.datasets import datasets
from engine.config.presets import build
from engine.data.minibatch import Minibatch
from engine.models.build import build_network
from engine.models.flops import count_passes
from engine.plan.cost import Passes, training_flops
from engine.training.learner import Learner
from engine.training.methods.step import step_of
from fastadv_tui.launch.cost import FlopCounter
from fastadv_tui.text.quantities import format_flops


def test_flops_of_the_mnist_network_are_those_counted_by_hand() -> None:
    """A convolution costs 2 x inputs x kernel area x outputs x positions. A linear layer costs 2 x inputs x outputs."""
    first, second, linear = 2 * 1 * 16 * 16 * 14 * 14, 2 * 16 * 16 * 32 * 7 * 7, 2 * 1568 * 100 + 2 * 100 * 10
    passes = count_passes(build("mnist", {}).model, datasets()["mnist"].facts)
    assert passes.forward == passes.to_image == first + second + linear
    assert passes.to_both == 2 * passes.forward
    assert passes.to_weights == 2 * passes.forward - first  # the first layer needs no gradient of the images


class Counting(TorchDispatchMode):
    """Add up the FLOPs of all operators. FlopCounterMode does not see `autograd.grad`."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func.overloadpacket):
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("standard", {}),
        ("fgsm", {}),
        ("nfgsm", {}),
        ("pgd", {"steps": 3}),
        ("pgd", {"steps": 2, "restarts": 2}),
        ("free", {}),
        ("sora", {}),
        ("fgsm-uap", {}),
        ("liet", {}),
        ("nuat", {}),
        ("gat", {}),
        ("trades", {"steps": 2}),
    ],
)
def test_a_training_step_computes_the_flops_that_are_forecast(method: str, more: dict[str, int]) -> None:
    """The second minibatch, as the first makes a table of LIET's that the forecast leaves out."""
    typed = {"method.name": method, **{f"method.{key}": value for key, value in more.items()}}
    config = build("cifar", {**typed, "model.width": 4, "epochs": 1})
    facts, device = datasets()["cifar10"].facts, torch.device("cpu")
    learner = Learner(build_network(config.model, facts), config.optim, lambda step: 0.1, device, "fp32")
    x, y = torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 3])
    counts = [Counting(), Counting()]
    for counting in counts:
        with counting:
            for _ in range(config.updates_per_minibatch):
                step_of(config)(learner, Minibatch(x, y, torch.arange(4)), Threat(config.eps), torch.Generator())
        learner.advance()
    forecast = training_flops(config, {0: count_passes(config.model, facts)}, 4)
    assert counts[1].total == pytest.approx(forecast, rel=1e-4 if method == "nuat" else 0)  # its singular values


def test_flops_of_the_papers_recipe_are_known() -> None:
    """15 epochs of FGSM on PreActResNet18. The attack computes the input gradient without weight gradients."""
    config = build("cifar", {})
    assert (
        format_flops(training_flops(config, {0: count_passes(config.model, datasets()["cifar10"].facts)}, 50_000))
        == "4.16 PFLOP"
    )


def test_flops_of_the_speed_preset_are_known() -> None:
    """The reference code computes weight gradients in the attack, too, which would cost 5.0 PFLOP."""
    config = build("cifar", {}, "speed")
    passes = count_passes(config.model, datasets()["cifar10"].facts)
    assert format_flops(training_flops(config, {0: passes}, 50_000)) == "373 TFLOP"


def test_the_counter_asks_the_engine_once_for_each_network() -> None:
    counter = FlopCounter()
    configs = [build("digits", {"epochs": epochs}) for epochs in (1, 2)]
    assert counter.missing(configs) == configs[1:]
    assert counter.total(configs[0]) is None
    counter.count(configs[0])
    assert counter.missing(configs) == []
    once, twice = (counter.total(config) for config in configs)
    assert once
    assert twice == 2 * once


@pytest.mark.parametrize(
    ("flops", "said"), [(4.2e15, "4.2 PFLOP"), (1.5e13, "15 TFLOP"), (3e9, "3 GFLOP"), (7, "7 FLOP")]
)
def test_flops_are_shown_with_a_unit_and_two_digits(flops: float, said: str) -> None:
    assert format_flops(flops) == said


def test_muon_costs_something_for_each_update() -> None:
    config = build("cifar", {"optim.name": "muon", "epochs": 2, "batch_size": 4, "method.name": "standard"})
    assert training_flops(config, {0: Passes(1, 10, 100, 1000, muon=7)}, 9) == 2 * 9 * 101 + 2 * 3 * 7
    assert count_passes(config.model, datasets()["cifar10"].facts).muon > 0


def test_pgd_costs_a_forward_and_a_backward_pass_for_each_step() -> None:
    config = build("cifar", {"method.name": "pgd", "method.steps": 7, "epochs": 2})
    assert training_flops(config, {0: Passes(1, 10, 100, 1000)}, 3) == 2 * 3 * (7 * 11 + 101)
