"""timm's networks are made by their names. timm is an extra, so a stand-in takes its place in most tests."""

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from engine.config.datasets import datasets
from engine.config.errors import ConfigError
from engine.config.sections import ModelConfig
from engine.models.build import build_network
from engine.models.normalize import Normalize

FACTS = datasets()["cifar10"].facts
assert FACTS is not None


def stand_in(made: list[dict[str, Any]]) -> ModuleType:
    """A module with what is used of timm. made: takes the arguments of each network that is made."""

    def create_model(name: str, **arguments: Any) -> nn.Module:
        made.append({"name": name, **arguments})
        if "wrong" in arguments:
            raise TypeError("unexpected keyword argument 'wrong'\nand more lines")
        return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))

    module = ModuleType("timm")
    module.is_model = lambda name: name == "resnet18"  # type: ignore[attr-defined]
    module.list_models = lambda: ["resnet18"]  # type: ignore[attr-defined]
    module.create_model = create_model  # type: ignore[attr-defined]
    return module


def test_a_network_is_made_for_the_data_set_without_pretrained_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setitem(sys.modules, "timm", stand_in(made))
    model = build_network(ModelConfig(name="timm:resnet18", args='{"drop_rate": 0.1}'), FACTS)
    assert made == [{"name": "resnet18", "num_classes": 10, "in_chans": 3, "pretrained": False, "drop_rate": 0.1}]
    normalize = model[0]  # type: ignore[index]
    assert isinstance(normalize, Normalize)
    assert normalize.mean.flatten().tolist() == pytest.approx(FACTS.mean)


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("timm:resnet19", "", r"timm has no such network \(did you mean resnet18\?\)"),
        ("timm:resnet18", '{"wrong": 1}', r"timm cannot make resnet18 .*unexpected keyword argument 'wrong'\)$"),
    ],
)
def test_what_timm_does_not_take_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, args: str, words: str) -> None:
    monkeypatch.setitem(sys.modules, "timm", stand_in([]))
    with pytest.raises(ConfigError, match=words):
        build_network(ModelConfig(name=name, args=args), FACTS)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"the package timm is missing; pip install 'fastadv\[timm\]'"):
        build_network(ModelConfig(name="timm:resnet18"), FACTS)


def test_the_real_package_gives_a_network() -> None:
    pytest.importorskip("timm")
    model = build_network(ModelConfig(name="timm:resnet18"), FACTS)
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 10)
