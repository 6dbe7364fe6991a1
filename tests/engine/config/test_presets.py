"""Presets: the order of precedence of settings, and agreement with the recipes of the paper."""

from typing import Any

import pytest

from engine.config.datasets import datasets
from engine.config.errors import ConfigError
from engine.config.keys import assemble, flatten
from engine.config.methods import methods
from engine.config.presets import PRESETS, build, check_dataset, preset_settings


@pytest.mark.parametrize("dataset", datasets())
@pytest.mark.parametrize("method", methods())
def test_every_data_set_has_a_recipe_for_every_method(dataset: str, method: str) -> None:
    config = build(dataset, {"method.name": method})
    assert (config.dataset, config.method.name, config.preset) == (dataset, method, datasets()[dataset].preset)
    assert config.eps > 0


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_only_what_exists_and_says_what_it_is(name: str) -> None:
    preset = PRESETS[name]
    assert preset.summary
    for chosen in (preset.settings, *({**preset.settings, **own} for own in preset.methods.values())):
        dataset = "imagenet" if "imagenet" in name else "mnist"
        assemble({"model.name": "mnist-cnn", **chosen, "dataset": dataset})
    assert set(preset.methods) <= set(methods())


def test_the_cifar_preset_is_the_papers_recipe() -> None:
    common = {
        "dataset": "cifar10",
        "model.name": "preact-resnet18",
        "model.width": 64,
        "model.depth": 2,
        "batch_size": 128,
        "seed": 0,
        "eps": 8 / 255,
        "optim.name": "sgd",
        "optim.momentum": 0.9,
        "optim.weight_decay": 5e-4,
        "optim.schedule": "cyclic",
        "optim.peak": 0.5,
    }
    _has(build("cifar"), common | {"method.name": "fgsm", "method.init": "random", "epochs": 15, "optim.lr": 0.2})
    _has(build("cifar", {"method.name": "pgd"}), common | {"method.steps": 7, "epochs": 15, "optim.lr": 0.2})
    _has(build("cifar", {"method.name": "free"}), common | {"method.replays": 8, "epochs": 10, "optim.lr": 0.04})
    assert build("cifar").alpha * 255 == pytest.approx(10)
    assert build("cifar", {"method.name": "pgd"}).alpha * 255 == pytest.approx(2)
    assert build("cifar").eval_step * 255 == pytest.approx(2)


def test_the_recipe_of_the_papers_first_release_differs_from_the_later_one_where_the_code_does() -> None:
    first, later = (flatten(build("cifar", preset=name)) for name in ("wong2020-paper", "wong2020"))
    assert {key: first[key] for key in first if first[key] != later[key]} == {
        "preset": "wong2020-paper",
        "model.shortcut": "input",
        "model.final_norm": False,
        "model.init": "fan-out",
        "padding": "reflect",
        "optim.lr": 0.21,
        "optim.peak": 0.4,
        "optim.clip_norm": 0.5,
        "method.start_in_box": False,
        "early_stop.drop": 0.5,
    }


def test_the_mnist_preset_is_the_papers_recipe() -> None:
    common = {"model.name": "mnist-cnn", "batch_size": 100, "epochs": 10, "eps": 0.3, "optim.name": "adam"}
    _has(build("mnist"), common | {"optim.lr": 5e-3, "optim.peak": 0.4, "optim.weight_decay": 0.0})
    _has(build("mnist", {"method.name": "pgd"}), common | {"method.steps": 40})
    assert build("mnist").alpha == pytest.approx(0.375)


def _has(config: Any, wanted: dict[str, Any]) -> None:
    found = flatten(config)
    assert {key: found[key] for key in wanted} == wanted


def test_a_typed_setting_beats_the_method_and_the_method_beats_the_preset() -> None:
    assert build("cifar", {"method.name": "free"}).epochs == 10
    assert build("cifar", {"method.name": "free", "epochs": 3}).epochs == 3
    assert (
        build("cifar", {"epochs": 15, "method.name": "free"}).epochs == 15
    )  # typed by the user, though it equals the default
    assert build("cifar", {"eps": 0.0}).eps == 0.0


def test_a_preset_of_another_data_set_can_be_asked_for() -> None:
    config = build("mnist", preset="wong2020")
    assert (config.dataset, config.preset, config.model.name) == ("mnist", "wong2020", "preact-resnet18")


def test_unknown_data_sets_and_presets_are_refused_with_the_known_names() -> None:
    with pytest.raises(ConfigError, match=r"unknown preset 'wong202'; use wong2020, .*did you mean wong2020\?"):
        build("cifar", preset="wong202")
    with pytest.raises(ConfigError, match=r"unknown data set 'mnst'.*did you mean mnist\?"):
        build("mnst")
    with pytest.raises(ConfigError, match=r"imagefolder: names no folder; write imagefolder:PATH"):
        build("imagefolder:")
    with pytest.raises(ConfigError):
        build("digits", {"nonsense": 1})
    with pytest.raises(ConfigError, match="takes mnist only"):
        build("digits", preset="wong2020-mnist")
    with pytest.raises(ConfigError, match=r"unknown data set 'CIFAR10'.*did you mean cifar10\?"):
        build("CIFAR10", {})


def test_a_data_set_has_aliases_and_a_preset_that_no_longer_exists_sets_nothing() -> None:
    assert check_dataset("cifar") == "cifar10"
    assert preset_settings("long gone", "fgsm") == {}
    assert build("cifar") == build("cifar10", {"dataset": "mnist"})


def test_strong_is_speed_at_the_size_of_the_papers_recipe() -> None:
    strong, speed, paper = (flatten(build("cifar", preset=name)) for name in ("strong", "speed", "wong2020"))
    assert {key for key in strong if strong[key] != speed[key]} == {"preset", "model.width", "epochs"}
    assert [strong[key] for key in ("model.width", "epochs")] == [paper[key] for key in ("model.width", "epochs")]
