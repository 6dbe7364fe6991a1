"""The descriptions of settings are complete, and agree with what a RunConfig accepts."""

import math
from typing import Any

import pytest

from engine.config.errors import ConfigError
from engine.config.groups import Group
from engine.config.keys import assemble, flatten, parse_value
from engine.config.methods import methods
from engine.config.run import RunConfig
from engine.config.sections import ModelConfig
from engine.config.settings import Kind, Setting, settings

DIGITS = {"dataset": "digits", "model.name": "digits-cnn"}
BOUNDED = [setting for setting in settings().values() if setting.kind in (Kind.NUMBER, Kind.INTEGER)]


def test_every_setting_of_a_run_is_described_in_the_order_of_its_declaration() -> None:
    config = RunConfig(dataset="digits", model=ModelConfig(name="digits-cnn"))
    assert list(settings()) == list(flatten(config))
    assert all(setting.key == key and setting.description for key, setting in settings().items())


def test_every_setting_has_a_short_title_that_is_unique_in_its_group() -> None:
    labels = [(setting.group, setting.title) for setting in settings().values()]
    assert len({*labels}) == len(labels)
    assert all(0 < len(title) <= 17 and "_" not in title for _, title in labels)
    assert {group for group, _ in labels} == {*Group}


def test_the_defaults_are_those_of_a_run_that_sets_nothing() -> None:
    config = flatten(assemble(DIGITS))
    for key, setting in settings().items():
        assert setting.required == (key in DIGITS)
        assert setting.default == (None if setting.required else config[key])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (
            "method.name",
            {"kind": Kind.CHOICE, "choices": tuple(methods()), "default": "fgsm"},
        ),
        ("method.alpha", {"kind": Kind.NUMBER, "optional": True, "unit": "1/255", "low": 0, "high": None}),
        ("eps", {"kind": Kind.NUMBER, "optional": False, "unit": "1/255", "default": 8 / 255}),
        ("epochs", {"kind": Kind.INTEGER, "low": 1, "high": 100_000, "above": False, "unit": ""}),
        ("optim.momentum", {"low": 0, "above": False, "high": 1, "below": True}),
        ("optim.milestones", {"kind": Kind.LIST, "low": 0, "high": 1, "default": (0.5, 0.75)}),
        ("early_stop.enabled", {"kind": Kind.BOOLEAN, "low": None, "default": False}),
        ("dataset", {"kind": Kind.TEXT, "required": True, "default": None}),
    ],
)
def test_a_setting_is_described_as_its_type_says(key: str, expected: dict[str, Any]) -> None:
    assert {name: getattr(settings()[key], name) for name in expected} == expected


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("method.name", "standard, fgsm, nfgsm, pgd, free, sora, fgsm-uap, liet, nuat, gat or trades"),
        ("optim.nesterov", "true or false"),
        ("eps", "0 to 255"),
        ("method.alpha", "0 to 255 or auto"),
        ("optim.lr", "above 0 and at most 100"),
        ("optim.momentum", "at least 0 and below 1"),
        ("epochs", "1 to 100,000"),
        ("watch.images", "at least 0"),
        ("name", ""),
    ],
)
def test_the_allowed_values_are_said_in_the_unit_in_which_they_are_typed(key: str, said: str) -> None:
    assert settings()[key].allowed == said


@pytest.mark.parametrize("setting", BOUNDED, ids=lambda setting: setting.key)
def test_the_bounds_are_those_that_a_run_is_held_to(setting: Setting) -> None:
    """Other rules may refuse a value inside the bounds. Values outside are recognised by msgspec's own message."""
    for bound, outside, excluded in ((setting.low, -1, setting.above), (setting.high, 1, setting.below)):
        if bound is None:
            continue
        beyond = bound + outside if setting.kind is Kind.INTEGER else math.nextafter(bound, outside * math.inf)
        for value, refused in ((bound, excluded), (beyond, True)):
            assert _refused(setting, value) == refused


def _refused(setting: Setting, value: float) -> bool:
    """Whether `assemble` refuses the value because of the bounds of its type."""
    try:
        assemble({**DIGITS, setting.key: value})
    except ConfigError as error:
        return "xpected" in str(error)  # the word in msgspec's messages
    return False


@pytest.mark.parametrize("key", [setting.key for setting in settings().values() if setting.choices])
def test_every_choice_can_be_typed(key: str) -> None:
    assert [parse_value(key, choice) for choice in settings()[key].choices] == [*settings()[key].choices]
