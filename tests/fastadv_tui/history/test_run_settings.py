"""The settings of a run from its row agree with its configuration, for one key and for all keys."""

from typing import Any

import pytest

from engine.config.keys import fields, flatten
from engine.config.presets import PRESETS, build
from fastadv_tui.history.query import parse
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import as_stored, changed_settings, differing_settings, setting_of, settings_of
from fastadv_tui.history.seed_groups import group_by_seed

DATASET_OF = {"wong2020-mnist": "mnist", "wong2020-imagenet": "imagenet"}  # presets that fit only one data set


def row_with(dataset: str, typed: dict[str, Any], preset: str | None = None) -> tuple[Row, dict[str, Any]]:
    """The row of a run with the typed settings, and the settings of its configuration."""
    config = build(dataset, typed, preset)
    row = Row(
        id="a", dataset=config.dataset, preset=config.preset, method=config.method.name, eps=config.eps,
        seed=config.seed, settings=changed_settings(config),
    )  # fmt: skip
    return row, {key: as_stored(value) for key, value in flatten(config).items()}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "typed",
    [{}, {"method.name": "free", "seed": 7}, {"eps": 0.1, "optim.momentum": 0.5, "optim.milestones": (0.2, 0.9)}],
)
def test_every_setting_of_a_run_follows_from_its_row(preset: str, typed: dict[str, Any]) -> None:
    row, settings = row_with(DATASET_OF.get(preset, "digits"), typed, preset)
    found = settings_of(row)
    assert {*found} == {*fields()}
    for key in {*settings} - {"name", "data_dir"}:  # a row does not hold these settings
        assert found[key] == settings[key] == setting_of(row, key), key


def test_only_what_differs_from_the_preset_is_called_changed() -> None:
    assert row_with("digits", {})[0].settings == {}
    assert row_with("digits", {"epochs": 3, "seed": 9, "name": "x"})[0].settings == {"epochs": 3}


def test_a_setting_of_a_later_version_is_known_and_a_missing_setting_is_none() -> None:
    row = Row(id="a", settings={"optim.of_later": 3})
    assert settings_of(row)["optim.of_later"] == setting_of(row, "optim.of_later") == 3
    assert setting_of(row, "no.such") is None
    assert setting_of(Row(id="a", preset="gone"), "model.name") is None


def test_a_filter_by_the_full_key_of_the_method_finds_what_its_short_key_finds() -> None:
    row, _ = row_with("digits", {"method.name": "pgd"})
    for word in ("method=pgd", "method.name=pgd"):
        assert parse(word)(row), word
        assert not parse(word)(Row(id="b", preset="digits", method="fgsm")), word


def test_what_a_run_writes_for_other_programs_tells_no_runs_apart() -> None:
    rows = [row_with("digits", {"seed": 0})[0], row_with("digits", {"seed": 1, "log.tensorboard": "on"})[0]]
    assert [key for key, _ in differing_settings(rows)] == ["seed"]
    assert len(group_by_seed(rows)) == 1
