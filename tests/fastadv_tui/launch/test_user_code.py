"""The user's own code in a form and in a typed configuration: its path and fingerprint; it is never run."""

import hashlib
from pathlib import Path

import pytest

from engine.config.errors import ConfigError
from fastadv_tui.launch.axes import split
from fastadv_tui.launch.form import read_form
from fastadv_tui.launch.repeat import as_typed
from fastadv_tui.launch.submission import configure, grid
from fastadv_tui.launch.texts import texts_of_config

TRAP = "raise SystemExit('this must not run')\n"


@pytest.fixture
def network(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(TRAP)
    return tmp_path / "net.py"


def test_a_relative_file_gets_its_absolute_path_and_its_fingerprint(network: Path) -> None:
    model = configure("digits", {"model.name": "net.py:Net", "model.args": '{"b": 1, "a": [2]}'}).model
    assert model.name == f"{network}:Net"
    assert model.code == hashlib.sha256(TRAP.encode()).hexdigest()[:12]
    assert model.args == '{"a":[2],"b":1}'


def test_the_settings_of_a_run_hold_for_its_file_alone(network: Path) -> None:
    config = configure("digits", {"model.name": "net.py:Net"})
    typed = as_typed(config)
    assert configure(typed.pop("dataset"), typed) == config
    network.write_text("other")
    with pytest.raises(ConfigError, match=r"net\.py has changed .*; restore the file, or leave model\.code out"):
        configure("digits", typed)


def test_a_form_offers_arguments_and_no_fingerprint(network: Path) -> None:
    texts = {"dataset": "digits", "model.name": "net.py:Net", "model.args": '{"depth": 1, "x": 2},{"depth": 3}'}
    reading = read_form(texts)
    assert reading.errors == {}
    assert reading.plan is not None
    assert [config.model.arguments for config in reading.plan.configs] == [{"depth": 1, "x": 2}, {"depth": 3}]
    assert "model.args" in reading.shown
    assert not {"model.code", "model.width", "model.depth"} & reading.shown
    assert "model.args" not in read_form({"dataset": "digits"}).shown


def test_a_form_opened_like_an_older_run_takes_the_file_as_it_is(network: Path) -> None:
    texts = texts_of_config(configure("digits", {"model.name": "net.py:Net"}))
    network.write_text("other")
    reading = read_form(texts)
    assert reading.plan is not None
    assert reading.plan.configs[0].model.code == hashlib.sha256(b"other").hexdigest()[:12]


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("model.name", "gone.py:Net", "gone.py does not exist"),
        ("model.name", "net.py", "add the name of the function or class"),
        ("model.name", "no_such_module_at_all:Net", "no module no_such_module_at_all"),
        ("model.args", "{1}", "write a JSON object"),
        ("model.args", '{"a-b": 1}', "write a JSON object of names"),
    ],
)
def test_an_error_stands_at_its_field(network: Path, key: str, text: str, words: str) -> None:
    texts = {"dataset": "digits", "model.name": "net.py:Net", key: text}
    errors = read_form(texts).errors
    assert [*errors] == [key]
    assert words in errors[key]


def test_commas_inside_json_separate_nothing() -> None:
    assert split('{"a": 1, "b": [1, 2]} , {"c": "x,}y"},') == ['{"a": 1, "b": [1, 2]}', '{"c": "x,}y"}']
    assert split("2, 4,,8") == ["2", "4", "8"]
    assert split("") == []
    assert [one["model.args"] for one in grid({"model.args": '{"a": 1, "b": 2},{}'}, None)] == [
        '{"a": 1, "b": 2}',
        "{}",
    ]
