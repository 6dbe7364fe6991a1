"""The running average has the numbers of torch's AveragedModel, in one operation an update."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.training.optim.averaged import AveragedWeights
from tests.support.by_hand import network
from tests.support.operations import Operations


def train_a_little(model: nn.Module, seed: int) -> None:
    """Change all weights and, by a forward pass in train mode, the BatchNorm statistics and counters."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=rng))
        model(torch.rand(8, 1, 8, 8, generator=rng))


def test_the_average_is_that_of_torch_bit_for_bit_and_counters_are_those_of_the_model() -> None:
    model = network()
    ours = AveragedWeights(model, 0.9)
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    for number in range(5):
        train_a_little(model, number)
        ours.update(model, first=number == 0)
        theirs.update_parameters(model)
    found, expected, trained = (m.state_dict() for m in (ours.network(model), theirs.module, model))
    for name, value in found.items():
        wanted = expected[name] if value.is_floating_point() else trained[name]
        assert torch.equal(value, wanted), name
    assert not torch.equal(found["0.weight"], trained["0.weight"])


def test_an_update_is_one_operation_and_the_host_waits_for_none() -> None:
    model = network()
    average = AveragedWeights(model, 0.9)
    for first in (True, False):
        with Operations() as operations:
            average.update(model, first)
        assert operations.total == 1
        assert not operations.waits


def test_the_averaged_network_needs_no_gradients_and_shares_no_memory_with_the_model() -> None:
    model = network()
    averaged = AveragedWeights(model, 0.9).network(model)
    assert not any(p.requires_grad for p in averaged.parameters())
    assert all(p.requires_grad for p in model.parameters())
    assert not {p.data_ptr() for p in averaged.parameters()} & {p.data_ptr() for p in model.parameters()}
