"""`fastadv settings` and `fastadv presets` agree with the configuration itself."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.config.keys import assemble, flatten, parse_value
from engine.config.methods import methods
from engine.config.presets import PRESETS, build
from engine.config.settings import settings
from tests.support.shell import fastadv


def leaves(struct: Any, prefix: str = "") -> set[str]:
    """The dotted keys of a configuration, from its stored JSON."""
    found: set[str] = set()
    for key, value in struct.items():
        found |= leaves(value, f"{key}.") if isinstance(value, dict) else {f"{prefix}{key}"}
    return found


def answer(*words: str) -> list[dict[str, Any]]:
    done = fastadv(*words, "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@cache
def all_settings() -> list[dict[str, Any]]:
    """The settings, from one call of the command that all parameters of a test share."""
    return answer("settings")


def test_settings_prints_every_setting_of_a_stored_configuration(home: Path) -> None:
    stored = leaves(msgspec.to_builtins(build("digits")))
    assert {each["key"] for each in answer("settings")} == stored
    table = fastadv("settings").stdout.splitlines()
    assert {line.split()[0] for line in table[1:]} == stored
    assert all(each["meaning"] for each in answer("settings"))


def test_the_defaults_that_settings_prints_are_those_of_a_bare_configuration(home: Path) -> None:
    bare = flatten(assemble({"dataset": "digits", "model.name": "digits-cnn"}))
    for each in answer("settings"):
        if each["key"] not in ("dataset", "model.name"):
            wanted = bare[each["key"]]
            assert each["default"] == (list(wanted) if isinstance(wanted, tuple) else wanted), each["key"]


@pytest.mark.parametrize("method", methods())
@pytest.mark.parametrize("preset", PRESETS)
def test_what_settings_says_of_a_preset_is_what_a_run_of_it_has(home: Path, preset: str, method: str) -> None:
    dataset = {"wong2020-mnist": "mnist", "wong2020-imagenet": "imagenet", "digits": "digits"}.get(preset, "cifar10")
    config = flatten(build(dataset, {"method.name": method}, preset))
    for each in all_settings():
        if method in each["presets"][preset]:
            said = each["presets"][preset][method]
            assert config[each["key"]] == (tuple(said) if isinstance(said, list) else said)


def test_bounds_that_settings_prints_are_those_that_are_checked() -> None:
    for key, setting in settings().items():
        for bound, outward in ((setting.low, -1), (setting.high, 1)):
            if bound is None or key in ("eps", "seed") or setting.kind.value == "list" or setting.is_size:
                continue
            beyond = bound + outward if isinstance(bound, int) else bound + outward * 1e-6 * max(abs(bound), 1)
            with pytest.raises(Exception, match=key.rpartition(".")[2]):
                assemble({"dataset": "digits", "model.name": "digits-cnn", key: parse_value(key, str(beyond))})


def test_one_setting_tells_its_meaning_its_default_and_what_the_presets_make_of_it(home: Path) -> None:
    text = fastadv("settings", "lr").stdout
    assert "optim.lr (short: lr)" in text
    assert "0.2, 0.04 with method free" in text
    assert "--set optim.lr=VALUE" in text
    assert "1.0 (fgsm), 2.0 (nfgsm)" in fastadv("settings", "method.noise").stdout
    assert "Shafahi et al., 2019" in fastadv("settings", "method").stdout


def test_a_setting_or_preset_that_does_not_exist_is_one_line_with_what_is_near(home: Path) -> None:
    for words, said in ((("settings", "optim.pek"), "optim.peak"), (("presets", "wong"), "wong2020")):
        done = fastadv(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_presets_prints_each_recipe_with_its_source_and_what_it_was_measured_at(home: Path) -> None:
    found = {each["name"]: each for each in answer("presets")}
    assert set(found) == set(PRESETS)
    assert all(each["source"] and each["summary"] for each in found.values())
    assert found["speed"]["settings"]["optim.name"] == "muon"
    text = fastadv("presets", "speed").stdout
    assert "46.5% under PGD-50-10" in text
    assert "not yet" in fastadv("presets", "wong2020-imagenet").stdout
    assert "method.steps with method pgd " in fastadv("presets", "wong2020").stdout  # trains with FGSM
