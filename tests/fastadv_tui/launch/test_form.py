"""The form finds every error at its setting, and describes the runs that the command line would start."""

import shlex
import time
from pathlib import Path

import pytest

from engine.config.errors import ConfigError
from engine.config.settings import settings
from fastadv_tui.launch.form import plan_form, read_form
from fastadv_tui.launch.form_fields import unit_of
from fastadv_tui.launch.submission import MAX_RUNS, configure

pytestmark = pytest.mark.usefixtures("home")
ALL_WRONG = {
    "dataset": "nope",
    "preset": "nope",
    "eps": "x",
    "method.alpha": "999",
    "epochs": "1O",
    "batch_size": "0",
    "seed": "3-1",
    "precision": "fp64",
    "device": "gpu",
    "on_collapse": "panic",
    "model.name": "No Net",
    "phases": "1-2",
    "eval.attack": "magic",
    "holdout": ",",
}


def test_every_error_is_found_at_once_and_at_its_own_setting() -> None:
    reading = read_form(ALL_WRONG)
    assert {*reading.errors} == {*ALL_WRONG}
    assert reading.plan is None
    assert all(error and "\n" not in error for error in reading.errors.values())


@pytest.mark.parametrize(
    ("texts", "key"),
    [
        ({"optim.nesterov": "true", "optim.momentum": "0"}, "optim.nesterov"),
        ({"model.name": "mnist-cnn", "model.width": "8"}, "model.name"),
        ({"method.name": "fgsm,pgd", "method.steps": "3"}, "method.steps"),
        ({"phases": "0-3 3-7", "epochs": "5"}, "phases"),
        ({"eps": "0", "method.name": "pgd"}, "eps"),
        ({"optim.schedule": "piecewise", "optim.milestones": "0.5,0.3"}, "optim.milestones"),
    ],
)
def test_an_error_between_settings_stands_at_one_of_them(texts: dict[str, str], key: str) -> None:
    assert list(read_form({"dataset": "cifar10", "preset": "wong2020", **texts}).errors) == [key]


def test_texts_of_settings_without_an_effect_are_ignored() -> None:
    """They stay in the form, for when the method is chosen again."""
    reading = read_form({"dataset": "digits", "method.name": "fgsm", "method.steps": "banana"})
    assert reading.errors == {}
    assert "method.steps" not in reading.shown


def test_a_default_is_the_value_without_the_text_of_its_field() -> None:
    reading = read_form({"dataset": "mnist", "method.name": "pgd", "eps": "8"})
    assert reading.defaults["method.name"] == "fgsm"
    assert reading.defaults["eps"] == "76.5"
    assert reading.defaults["method.alpha"] == "2.55"  # of the method and data set that are chosen
    assert reading.defaults["preset"] == "wong2020-mnist"
    assert {*settings()} == {*reading.defaults}


def test_a_sweep_spans_the_grid_of_its_values_and_seeds() -> None:
    plan = plan_form({"dataset": "digits", "eps": "8,16", "seed": "1-2", "method.name": "fgsm,pgd"})
    assert plan.count == len(plan.configs) == 8
    assert {config.seed for config in plan.configs} == {1, 2}
    assert shlex.join(plan.command) == "fastadv sweep digits --grid eps=8,16 --grid method=fgsm,pgd --seeds 1-2"
    expected = [
        configure("digits", {"eps": eps, "method.name": method, "seed": seed})
        for eps in ("8", "16")
        for method in ("fgsm", "pgd")
        for seed in ("1", "2")
    ]
    assert plan.configs == expected


def test_a_huge_sweep_is_refused_and_read_quickly() -> None:
    begun = time.process_time()
    errors = read_form({"dataset": "digits", "seed": "0-999999999"}).errors
    assert f"at most {MAX_RUNS:,} runs" in errors["seed"]
    many = ",".join(map(str, range(1, 200)))
    errors = read_form({"dataset": "digits", "epochs": many, "batch_size": many}).errors
    assert "these are 39,601 runs" in errors["epochs"]
    assert time.process_time() - begun < 2


def test_an_error_in_a_combination_is_found_by_the_start() -> None:
    """The form itself looks at the first combinations only, to keep up with the keys."""
    values = ",".join(map(str, range(1, 300)))
    texts = {"dataset": "cifar10", "epochs": values, "method.name": "nfgsm,fgsm", "method.noise": "0.5"}
    assert plan_form(texts).count == 598
    texts = {"dataset": "cifar10", "epochs": values, "phases": "0-1"}
    with pytest.raises(ConfigError, match="the phases end at epoch 1"):
        plan_form(texts)


def test_reading_a_form_creates_no_folder(home: Path) -> None:
    assert read_form({"dataset": "mnist"}).plan is not None
    assert not home.exists()


def test_a_form_of_norm_l2_reads_plain_numbers_and_names_what_is_missing() -> None:
    base = {"dataset": "digits", "norm": "l2"}
    reading = read_form(base | {"eps": "1.5", "method.alpha": "128/255"})
    assert reading.plan is not None
    (config,) = reading.plan.variants
    assert (config.eps, config.alpha, config.eval_step) == (1.5, 128 / 255, 0.375)
    assert reading.defaults["eval.step_size"] == "0.375"
    assert reading.plan.command[:7] == ["fastadv", "run", "digits", "--norm", "l2", "--eps", "1.5"]
    assert "type an eps" in read_form(base).errors["norm"]
    assert "0.5 or 128/255" in read_form(base | {"eps": "x"}).errors["eps"]
    both = read_form({"dataset": "digits", "norm": "linf,l2", "eps": "0.3"})
    assert both.plan is not None
    assert [config.norm for config in both.plan.variants] == ["linf", "l2"]


def test_sizes_have_their_unit_in_the_form_for_linf_alone() -> None:
    assert unit_of("eps", "") == unit_of("eps", "linf") == "1/255"
    assert unit_of("eps", "l2") == unit_of("method.alpha", "l2") == unit_of("eval.step_size", "l2") == ""
    assert unit_of("batch_size", "l2") == "images"


def test_the_fraction_of_extra_data_is_asked_only_with_a_file() -> None:
    assert "extra_fraction" not in read_form({"dataset": "digits"}).shown
    assert {"extra_data", "extra_fraction"} <= read_form({"dataset": "digits", "extra_data": "a.npz"}).shown
    assert "extra_data" not in read_form({"dataset": "imagefolder:/data"}).shown


def test_of_several_methods_a_form_offers_the_options_that_all_have() -> None:
    assert "method.steps" in read_form({"dataset": "digits", "method.name": "pgd"}).shown
    reading = read_form({"dataset": "digits", "method.name": "fgsm,pgd"})
    assert "method.steps" not in reading.shown
    assert "method.alpha" in reading.shown


def test_an_option_that_some_of_the_methods_lack_is_an_error_with_a_way_out() -> None:
    reading = read_form({"dataset": "digits", "method.name": "fgsm,pgd", "method.steps": "3"})
    assert reading.errors == {"method.steps": "only pgd has it; empty this field, or start fgsm in a form without it"}
    assert "method.steps" in reading.shown


@pytest.mark.parametrize(
    ("texts", "key", "default"),
    [
        ({"method.name": "fgsm,pgd"}, "method.alpha", "63.75 or 12.75"),
        ({"eps": "4,8"}, "method.alpha", "5 or 10"),
        ({"eps": "4,8"}, "epochs", "30"),
        ({"eps": "4,8"}, "name", "each run its own"),
    ],
)
def test_defaults_that_differ_between_the_runs_are_all_named(texts: dict[str, str], key: str, default: str) -> None:
    assert read_form({"dataset": "digits", **texts}).defaults[key] == default


@pytest.mark.parametrize(("seed", "command"), [("3", "run"), ("0-1", "sweep")])
def test_the_command_of_a_form_has_its_tags(seed: str, command: str) -> None:
    plan = plan_form({"dataset": "digits", "seed": seed, "tags": "paper mine"})
    assert plan.command[:2] == ["fastadv", command]
    assert plan.command[-4:] == ["--tag", "paper", "--tag", "mine"]
