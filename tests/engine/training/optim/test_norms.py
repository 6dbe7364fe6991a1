"""BatchNorm statistics of averaged weights are those of training images."""

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.training.optim.norms import recompute_norms
from engine.training.setup import set_up
from tests.support.engine import run_folder, weights
from tests.support.training import train

RESNET = {"model.name": "preact-resnet18", "model.width": 2, "model.depth": 1, "optim.average": 0.9, "batch_size": 400}


def test_the_statistics_are_the_means_over_the_minibatches() -> None:
    rng = torch.Generator().manual_seed(0)
    minibatches = [torch.rand(8, 3, 4, 4, generator=rng) + number for number in range(3)]
    norm = nn.BatchNorm2d(3)
    recompute_norms(norm, minibatches)
    means = torch.stack([x.mean((0, 2, 3)) for x in minibatches]).mean(0)
    variances = torch.stack([x.transpose(0, 1).flatten(1).var(1) for x in minibatches]).mean(0)
    torch.testing.assert_close(norm.running_mean, means)
    torch.testing.assert_close(norm.running_var, variances)
    assert norm.momentum == 0.1


@pytest.mark.parametrize("recompute", [True, False])
def test_a_run_evaluates_its_average_with_statistics_of_its_last_epoch_if_it_is_asked_to(
    tmp_path: Path, recompute: bool
) -> None:
    rundir = run_folder(tmp_path / "run", RESNET | {"epochs": 1, "optim.recompute_norms": recompute})
    train(rundir)
    state = weights(rundir)
    setup = set_up(rundir.submission().config)
    norms = [name for name, layer in setup.learner.model.named_modules() if isinstance(layer, nn.BatchNorm2d)]
    first = norms[0]  # its input does not depend on the other statistics
    inputs: list[torch.Tensor] = []
    model = setup.learner.model
    model.load_state_dict(state["averaged"])
    model.get_submodule(first).register_forward_pre_hook(lambda layer, given: inputs.append(given[0]))
    with torch.no_grad():
        for number in range(3):  # the full minibatches of the 1437 images
            model(setup.batches_of(0).batch(0, number).x)
    wanted = torch.stack([x.mean((0, 2, 3)) for x in inputs]).mean(0)
    assert torch.allclose(state["averaged"][f"{first}.running_mean"], wanted, atol=1e-5) == recompute
