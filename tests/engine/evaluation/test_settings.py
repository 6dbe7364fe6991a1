"""How many images are evaluated at once."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.config.presets import build
from engine.evaluation.settings import eval_batch
from tests.support.networks import CPU


@pytest.mark.parametrize(("memory", "expected"), [(8e9, 250), (80e9, 1000)])
def test_a_large_gpu_evaluates_more_images_at_once(
    monkeypatch: pytest.MonkeyPatch, memory: float, expected: int
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=memory))
    config = build("cifar10")
    assert eval_batch(config, torch.device("cuda:0")) == expected
    assert eval_batch(config, CPU) == 250


@pytest.mark.parametrize(("typed", "expected"), [({}, 128), ({"micro_batch": 16}, 16)])
def test_a_data_set_in_a_folder_is_evaluated_in_minibatches_that_were_trained(
    monkeypatch: pytest.MonkeyPatch, typed: dict[str, Any], expected: int
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80e9))
    config = build("imagefolder:/pictures", typed)
    assert eval_batch(config, torch.device("cuda:0")) == eval_batch(config, CPU) == expected
