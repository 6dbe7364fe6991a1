"""Muon agrees with the singular value decomposition, and its SGD part with torch's SGD."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engine.config.sections import OptimConfig
from engine.models.flops import muon_filters, muon_flops
from engine.training.learner import Learner
from engine.training.optim.muon import Muon, orthogonalized


@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (64, 4, 3, 3), (16, 16, 1, 1), (30, 50)])
def test_orthogonalisation_brings_singular_values_near_1_and_keeps_the_directions(shape: tuple[int, ...]) -> None:
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonalized(gradient.reshape(1, shape[0], -1))[0]
    assert 0.6 < torch.linalg.svdvals(found).min() <= torch.linalg.svdvals(found).max() < 1.3
    u, _, v = torch.linalg.svd(gradient.reshape(shape[0], -1), full_matrices=False)
    assert F.cosine_similarity(found.flatten(), (u @ v).flatten(), dim=0) > 0.97


def test_orthogonalisation_does_not_depend_on_the_scale_of_the_gradient() -> None:
    gradient = torch.randn(2, 8, 36)
    torch.testing.assert_close(orthogonalized(1e-3 * gradient), orthogonalized(1e3 * gradient), rtol=1e-2, atol=1e-3)
    assert torch.equal(orthogonalized(torch.zeros(1, 4, 4)), torch.zeros(1, 4, 4))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 36, 10))


def muon_of(model: nn.Module, weight_decay: float, **options: float) -> Muon:
    return Muon([{"params": list(model.parameters()), "weight_decay": weight_decay}], **options)


def descend(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    x, y = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(1)), torch.arange(16) % 10
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()


def test_muon_updates_all_but_convolutions_by_sgd() -> None:
    model, other = network(), network()
    muon = muon_of(model, 0.1, lr=0.01, momentum=0.9, ratio=3.0)
    rest = [p for p in other.parameters() if p.ndim != 4]
    sgd = torch.optim.SGD(rest, lr=0.03, momentum=0.9, weight_decay=0.1, nesterov=True)
    for _ in range(3):
        before = model[0].weight.detach().clone()
        descend(model, muon)
        descend(other, sgd)
        other[0].weight.data.copy_(model[0].weight.data)  # parameters that have no SGD
        assert not torch.equal(model[0].weight, before)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_the_first_muon_step_of_a_convolution_agrees_with_its_formula_by_hand() -> None:
    model = network()
    before, grads = model[0].weight.detach().clone(), []
    model[0].weight.register_hook(lambda grad: grads.append(grad.clone()))
    descend(model, muon_of(model, 0.1, lr=0.01, momentum=0.9, ratio=1.0))
    step = before - model[0].weight.detach()
    expected = orthogonalized(grads[0].reshape(1, 8, 27)).view_as(step)
    torch.testing.assert_close(step, 0.01 * expected, rtol=1e-2, atol=1e-5)  # 8 x 27: no wider factor


def several_shapes() -> nn.Module:
    """Two convolutions of one shape, one with more rows than columns, one of 1x1, and one that no loss reaches."""
    torch.manual_seed(0)
    same = [nn.Conv2d(6, 6, 3, padding=1, bias=False) for _ in range(2)]
    model = nn.Sequential(
        nn.Conv2d(3, 40, 3, bias=False), nn.Conv2d(40, 6, 1), *same, nn.Flatten(), nn.Linear(6 * 36, 10)
    )
    return model.append(nn.Conv2d(4, 4, 3))


def one_by_one(gradient: Tensor) -> Tensor:
    """Newton-Schulz iterations of Jordan et al. on one filter in float64, as their page writes them."""
    x = gradient.double().flatten(1)
    x = x.T if gradient.shape[0] > x.shape[1] else x
    x = x / x.norm()
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    rows = x.T if gradient.shape[0] > gradient[0].numel() else x
    return rows.reshape(gradient.shape)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_convolutions_of_one_shape_are_updated_as_each_would_be_alone(memory_format: torch.memory_format) -> None:
    model = several_shapes().to(memory_format=memory_format)
    convolutions = [p for p in model[:-1].parameters() if p.ndim == 4]
    optimizer = muon_of(model, 0.0, lr=0.01, momentum=0.9, ratio=1.0)
    momenta = [torch.zeros_like(p).double() for p in convolutions]
    x, y = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(1)), torch.arange(16) % 10
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(model[:-1](x), y).backward()
        before = [p.detach().double() for p in convolutions]
        optimizer.step()
        for place, p in enumerate(convolutions):
            assert p.grad is not None
            momenta[place] = 0.9 * momenta[place] + 0.1 * p.grad
            towards = 0.1 * p.grad + 0.9 * momenta[place]
            wide = max(1.0, len(p) / p[0].numel()) ** 0.5
            expected = before[place] - 0.01 * wide * one_by_one(towards)
            assert (p.detach() - expected).norm() < 1e-4 * (before[place] - expected).norm()


def test_muon_goes_on_from_the_momentum_of_a_checkpoint_of_an_earlier_version() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.Flatten(), nn.Linear(8 * 36, 10, bias=False))
    optimizer = muon_of(model, 0.0, lr=0.01, momentum=0.5, ratio=1.0)
    momenta = [torch.randn_like(p) for p in model.parameters()]
    shared = {"weight_decay": 0.0, "lr": 0.01, "momentum": 0.5, "ratio": 1.0}
    groups = [{**shared, "matrices": True, "params": [0]}, {**shared, "matrices": False, "params": [1]}]
    state = {n: {"momentum": momenta[n].clone()} for n in (0, 1)}
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    before = [p.detach().clone() for p in model.parameters()]
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(before[1] - model[2].weight.detach(), 0.01 * 0.5 * 0.5 * momenta[1])
    moved = before[0] - model[0].weight.detach()
    torch.testing.assert_close(moved.double(), 0.01 * one_by_one(momenta[0]), rtol=1e-3, atol=1e-6)


def test_muon_can_spare_norm_layers_the_weight_decay() -> None:
    model = network()
    optim = OptimConfig(name="muon", lr=0.1, sgd_ratio=1.0, weight_decay=0.5, decay_norms=False)
    learner = Learner(model, optim, lambda step: 0.1, torch.device("cpu"), "fp32")
    linear = model[3].weight.detach().clone()
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    for group in learner.optimizer.param_groups:
        group["lr"] = 0.1
    learner.optimizer.step()
    assert torch.equal(model[1].weight.detach(), torch.ones(8))
    torch.testing.assert_close(model[3].weight.detach(), linear * (1 - 0.1 * 0.5 * 1.9))  # Nesterov: 1 + momentum


def test_the_state_of_muon_survives_saving_and_loading() -> None:
    model = network()
    muon = muon_of(model, 0.0, lr=0.01, momentum=0.9, ratio=1.0)
    descend(model, muon)
    other = copy.deepcopy(model)
    again = muon_of(other, 0.0, lr=0.5, momentum=0.0, ratio=1.0)
    again.load_state_dict(copy.deepcopy(muon.state_dict()))
    descend(model, muon)
    descend(other, again)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)


def test_the_flops_of_muon_are_counted() -> None:
    tensors: list[Tensor] = [torch.randn(8, 3, 3, 3), torch.randn(64, 4, 3, 3)]
    with FlopCounterMode(display=False) as counter:
        for tensor in tensors:
            orthogonalized(tensor.reshape(1, len(tensor), -1))
    assert muon_flops(tensors) == counter.get_total_flops()
    assert len(muon_filters(network())) == 1
