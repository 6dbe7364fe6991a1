"""A setting applies where it has an effect."""

from typing import Any

import pytest

from engine.config.applies import DECIDING, applies
from engine.config.errors import ConfigError
from engine.config.methods import methods
from engine.config.presets import build
from engine.config.settings import settings


def applying(dataset: str = "cifar10", **typed: Any) -> set[str]:
    config = build(dataset, {key.replace("__", "."): value for key, value in typed.items()})
    return {key for key in settings() if applies(key, config)}


@pytest.mark.parametrize("method", list(methods()))
def test_the_options_that_apply_are_those_that_the_method_takes(method: str) -> None:
    """`build` refuses an option of another method."""
    shown = applying(method__name=method)
    for key, setting in settings().items():
        if key.startswith("method.") and key != "method.name":
            value = next(iter(setting.methods.values()), 0.1)
            try:
                build("cifar10", {"method.name": method, key: value})
                taken = True
            except ConfigError as error:
                taken = "is an option of" not in str(error)
            assert (key in shown) == taken, key


@pytest.mark.parametrize(
    ("typed", "key", "shown"),
    [
        ({}, "optim.momentum", True),
        ({"optim__name": "adam"}, "optim.momentum", False),
        ({"optim__name": "muon"}, "optim.sgd_ratio", True),
        ({}, "optim.sgd_ratio", False),
        ({}, "optim.milestones", False),
        ({"optim__schedule": "piecewise"}, "optim.milestones", True),
        ({"optim__schedule": "piecewise"}, "optim.peak", False),
        ({"phases": "0-15:::0.1..0"}, "optim.lr", False),
        ({"phases": "0-15::64"}, "batch_size", False),
        ({"model__name": "resnet18"}, "model.width", False),
        ({"eval__attack": "none"}, "eval.images", False),
        ({"watch__images": 0}, "watch.steps", False),
        ({}, "early_stop.drop", False),
        ({"on_collapse": "stop"}, "early_stop.drop", True),
        ({"on_collapse": "stop"}, "early_stop.enabled", False),
        ({}, "deterministic", True),
        ({"device": "cpu"}, "deterministic", False),
        ({}, "capture", True),
        ({"device": "cpu"}, "capture", False),
    ],
)
def test_a_setting_shows_where_it_has_an_effect(typed: dict[str, Any], key: str, shown: bool) -> None:
    assert (key in applying(**typed)) == shown


def test_a_folder_of_images_needs_no_data_folder() -> None:
    assert "data_dir" in applying("imagenet")
    assert "data_dir" not in applying("imagefolder:/somewhere")


def test_what_applies_follows_from_the_deciding_settings_alone() -> None:
    """Any value of any other setting changes nothing: the form relies on this while other fields hold errors."""
    other = {"eps": 0.01, "epochs": 3, "optim.lr": 0.5, "model.width": 8, "eval.step_size": 0.1, "holdout": 5}
    assert not {*other} & {*DECIDING}
    assert applying() == {key for key in settings() if applies(key, build("cifar10", other))}
