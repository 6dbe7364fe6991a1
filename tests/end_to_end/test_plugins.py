"""A training method and a data set that somebody else adds, each in one file: every part of the program knows them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.engine import ROOT
from tests.support.shell import fastadv, only_run

SMALL = ["--epochs", "12", "--set", "model.width=8", "--set", "watch.images=20", "--eval", "pgd-2"]


@pytest.fixture(autouse=True)
def plugins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTADV_PLUGINS", "tests.support.toy_method, tests.support.toy_dataset")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_the_help_of_run_names_a_method_and_a_data_set_that_were_added() -> None:
    text = fastadv("run", "--help").stdout
    assert "toy-blur" in text
    assert "squares (toy-squares)" in text


def test_the_settings_name_an_option_of_an_added_method() -> None:
    text = fastadv("settings", "method.blur").stdout
    assert "standard deviation of the toy's noise" in text
    assert "0.1 (toy-blur)" in text
    assert "images blurred by noise" in fastadv("settings", "method.name").stdout


def test_a_run_trains_by_an_added_method_on_an_added_data_set(home: Path) -> None:
    done = fastadv("run", "squares", "--method", "toy-blur", "--set", "method.blur=0.2", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "80 training and 40 test images" in done.stdout
    assert "clean 100.0%" in done.stdout  # squares are easy
    shown = json.loads(fastadv("show", "last", "--json").stdout)
    assert (shown["dataset"], shown["method"], shown["settings"]["method.blur"]) == ("toy-squares", "toy-blur", 0.2)
    assert shown["alpha"] == pytest.approx(0.1)  # half of eps, as the method says
    assert only_run(home).last.exists()


def test_an_option_of_an_added_method_is_checked_like_any_other() -> None:
    for words, said in (
        (["--method", "toy-blur", "--set", "method.blur=2"], "method.blur"),
        (["--set", "method.blur=0.2"], "method.blur is an option of toy-blur, not of fgsm"),
        (
            ["--method", "toy-blur", "--set", "method.steps=3"],
            "method.steps is an option of pgd and trades, not of toy-blur",
        ),
    ):
        done = fastadv("run", "squares", *words)
        assert done.returncode == 2
        assert said in done.stderr


FORM = """
from fastadv_tui.launch.form import plan_form, read_form
from fastadv_tui.launch.form_fields import help_of, title_of
from engine.config.keys import fields
from engine.plan.cost import Passes, training_flops
print("method.blur" in fields(), title_of("method.blur"), help_of("method.blur"))
print("method.blur" in read_form({"dataset": "squares", "method.name": "toy-blur"}).shown)
(config,) = plan_form({"dataset": "squares", "method.name": "toy-blur", "epochs": "1"}).configs
print(training_flops(config, {0: Passes(1, 10, 100, 1000)}, 80))
"""


def test_the_form_and_the_cost_know_an_added_method() -> None:
    done = subprocess.run([sys.executable, "-c", FORM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "True blur standard deviation of the toy's noise, in [0,1]. Allowed: 0 to 1."
        " Several values, with commas, start several runs.",
        "True",
        str(80 * 101),  # an update is a forward pass and a backward one to the weights
    ]


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("tests.support.nowhere", "tests.support.nowhere cannot be imported"),
        ("json.nowhere", "json.nowhere cannot be imported"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_one_line(module: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTADV_PLUGINS", module)
    done = fastadv("run", "digits")
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
