"""What users type, as the command line and the launch form pass it on."""

from pathlib import Path

import pytest

from engine.config.errors import ConfigError
from engine.config.keys import flatten
from engine.config.presets import build
from fastadv_tui.launch.form import plan_form
from fastadv_tui.launch.submission import configure, grid, merge, parse_pairs, readings, scaled_phases, understood
from fastadv_tui.launch.texts import texts_of_config


def test_only_typed_options_beat_the_preset(home: Path) -> None:
    config = configure("cifar", {"eps": "4", "epochs": None, "optim.lr": "0.1"})
    usual = flatten(configure("cifar", {}))
    assert {key for key, value in flatten(config).items() if value != usual[key]} == {"eps", "optim.lr"}
    assert config.eps == pytest.approx(4 / 255)
    assert config.alpha == pytest.approx(5 / 255)  # alpha follows eps


def test_a_data_folder_is_made_absolute(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert configure("mnist", {"data_dir": "here"}).data_dir == str(tmp_path / "here")
    assert configure("mnist", {}).data_dir == str(home / "data")


@pytest.mark.parametrize("method", ["pgd", "free", "standard", "fgsm"])
def test_the_form_of_an_existing_run_has_its_method(home: Path, method: str) -> None:
    config = configure("cifar", {"method.name": method}, "speed")  # the preset's own method is another one
    assert plan_form(texts_of_config(config)).configs == [config]


def test_short_keys_in_set_pairs_are_expanded() -> None:
    assert parse_pairs(["width=16", "optim.lr = 0.1", "eval=none"]) == {
        "model.width": "16",
        "optim.lr": "0.1",
        "eval.attack": "none",
    }


def test_the_same_setting_given_twice_is_refused() -> None:
    typed: dict[str, str | None] = {"model.width": "16"}
    with pytest.raises(ConfigError, match="set twice"):
        merge(typed, {"model.width": "32"})


def test_a_grid_gives_the_cross_product_of_its_values() -> None:
    chosen = grid({"eps": "2,4,8", "method.name": "fgsm, pgd"}, "0-2")
    assert len(chosen) == len({tuple(sorted(one.items())) for one in chosen}) == 18
    assert {"eps": "4", "method.name": "pgd", "seed": "2"} in chosen
    assert grid({}, "0,3,7-8") == [{"seed": seed} for seed in ("0", "3", "7", "8")]
    assert grid({}, None) == [{}]


@pytest.mark.parametrize("seeds", ["", "a", "3-1", "1-", "-1", "1.5"])
def test_seeds_that_are_no_range_are_refused(seeds: str) -> None:
    with pytest.raises(ConfigError, match="write 0-2"):
        grid({}, seeds)


def test_a_grid_axis_without_values_is_refused() -> None:
    with pytest.raises(ConfigError, match="no values"):
        grid({"eps": ","}, None)


def test_typed_sizes_are_repeated_in_both_units(home: Path) -> None:
    assert understood(configure("cifar", {"eps": "8"})) == (
        "eps 8/255 = 0.03137 · alpha 10/255 = 0.03922 · evaluation step 2/255 = 0.007843"
    )


def test_typed_epochs_scale_the_phases_of_the_preset_and_one_line_says_so(home: Path) -> None:
    config = configure("imagenet", {"epochs": "1"})
    assert scaled_phases(config) == (
        "the phases of the preset were scaled from 15 epochs to 1: 0-1:352/224:224:0.04..0.004"
    )
    assert scaled_phases(configure("imagenet", {})) == ""
    assert scaled_phases(configure("cifar", {"epochs": "1"})) == ""
    filled = plan_form(texts_of_config(config) | {"dataset": "imagenet"})
    assert filled.configs == [config]  # a form that is filled from the run starts the same run


@pytest.mark.parametrize("typed", [{"optim.lr": "0.1"}, {"optim.schedule": "constant"}, {"batch_size": "64"}])
def test_a_typed_setting_that_every_phase_overrules_is_refused(home: Path, typed: dict[str, str | None]) -> None:
    (key,) = typed
    with pytest.raises(
        ConfigError,
        match=rf"{key} has no effect, because .*; change the value in --set phases=\"0-1:160/128:512:0..0.4",
    ):
        configure("imagenet", typed)
    assert configure("imagenet", {**typed, "phases": "0-3"}).epochs == 3
    assert configure("cifar", {**typed, "phases": "0-3:0/16 3-5"}).epochs == 5


def test_sizes_in_doubt_are_told_with_the_way_to_write_the_other_size() -> None:
    typed = {"eps": "8, 0.5", "method.alpha": None, "epochs": "0.5", "name": "0.5", "eval.step_size": "0.01"}
    assert readings(typed) == [
        "eps 0.5 of 1 = 127.5/255; write 0.5/255 for the smaller size",
        "eval.step_size 0.01 of 1 = 2.55/255; write 0.01/255 for the smaller size",
    ]


@pytest.mark.usefixtures("home")
def test_an_attack_without_room_is_refused_with_the_way_out() -> None:
    for method in ("fgsm", "pgd", "free"):
        with pytest.raises(ConfigError, match=f"eps = 0: .*{method}.*--method standard"):
            configure("digits", {"eps": "0", "method.name": method})
    assert configure("digits", {"eps": "0", "method.name": "standard"}).eps == 0
    assert build("digits", {"eps": 0.0}).eps == 0  # such runs of older versions are still read
