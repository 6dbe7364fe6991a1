"""Settings as TOML, and back."""

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.errors import ConfigError
from engine.config.presets import build
from fastadv_tui.launch.form import plan_form
from fastadv_tui.launch.texts import texts_of_config
from fastadv_tui.launch.toml_text import read_toml, toml_text

TEXTS = {
    "dataset": "cifar10",
    "eps": "4,8",
    "epochs": "5",
    "seed": "0-2",
    "name": "mine, with a comma",
    "method.name": "fgsm,pgd",
    "optim.lr": "5e-4",
    "optim.nesterov": "true",
    "optim.milestones": "0.5,0.75",
    "tags": "paper first",
}


def test_values_are_of_the_kind_of_their_setting_and_sections_are_tables() -> None:
    assert tomllib.loads(toml_text(TEXTS)) == {
        "dataset": "cifar10",
        "eps": [4, 8],
        "epochs": 5,
        "seed": "0-2",
        "name": "mine, with a comma",
        "method": {"name": ["fgsm", "pgd"]},
        "optim": {"lr": 0.0005, "nesterov": True, "milestones": [0.5, 0.75]},
        "tags": ["paper", "first"],
    }


def test_a_file_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(toml_text(TEXTS))
    assert read_toml(path) == TEXTS | {"optim.lr": "0.0005"}


@given(st.text(min_size=1).filter(lambda text: text == text.strip() and text.isprintable()))
def test_any_text_of_a_form_is_read_back(text: str) -> None:
    """Also a text that is not allowed, since a form may hold one."""
    written = tomllib.loads(toml_text({"dataset": "digits", "name": text, "model.name": "x", "device": text}))
    assert written["name"] == text


@pytest.mark.parametrize(
    ("dataset", "settings"),
    [
        ("cifar10", {"method.name": "pgd", "eps": 4 / 255, "optim.lr": 0.1, "seed": 3}),
        ("mnist", {"name": "a [b] c", "method.alpha": 0.1, "eval.step_size": 0.001}),
        ("imagenet", {"epochs": 3}),
    ],
)
def test_a_run_starts_again_from_its_file(dataset: str, settings: dict[str, object], home: Path) -> None:
    path = home.parent / "run.toml"
    config = build(dataset, {**settings, "data_dir": str(home / "data")})
    path.write_text(toml_text(texts_of_config(config)))
    (again,) = plan_form(read_toml(path)).configs
    assert again == config


def test_short_keys_and_flat_dotted_keys_are_read(tmp_path: Path) -> None:
    path = tmp_path / "short.toml"
    path.write_text('dataset = "digits"\nlr = 0.1\nmethod = "pgd"\nmodel.width = 16\n"optim.momentum" = 0\n')
    assert read_toml(path) == {
        "dataset": "digits",
        "optim.lr": "0.1",
        "method.name": "pgd",
        "model.width": "16",
        "optim.momentum": "0",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("eps = = 8", "is not TOML: .*line 1"),
        ("epss = 8", "unknown setting 'epss'; did you mean eps"),
        ("[optim]\nlr = 2020-01-01", "optim.lr = 2020-01-01: write a text, a number"),
        (b"\xff\xfe", "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(content: str | bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=said) as caught:
        read_toml(path)
    assert "bad.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # to open it would wait for ever
    for name, said in (("pipe", "a named pipe"), ("none", "cannot read"), (".", "a folder")):
        with pytest.raises(ConfigError, match=said):
            read_toml(tmp_path / name)
