"""Files that say what they are need no word about their network, and a typed setting still beats them."""

from pathlib import Path
from typing import Any

import pytest

from engine.config.errors import ConfigError
from engine.export.weights import weights_file
from engine.protocol.requests import EvalRequest
from fastadv_tui.fetch import zoo
from fastadv_tui.launch import eval_request
from tests.support.exports import trained


@pytest.fixture
def file(home: Path, tmp_path: Path) -> Path:
    """A PreActResNet of width 4, trained in norm l2 with eps 0.75."""
    of = trained("preact-resnet18", **{"model.shortcut": "input", "norm": "l2", "eps": 0.75})
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights_file(of, ".safetensors", "fp32", "ab12cd", "last"))
    return path


def asked(target: Any, dataset: str | None = None, eps: str | None = None, **typed: str | None) -> EvalRequest:
    dotted = {key.replace("__", "."): value for key, value in typed.items()}
    return eval_request.request(str(target), dataset, {"norm": None, "eval.attack": None, **dotted}, eps, None, "last")


def test_the_file_tells_network_data_set_norm_and_eps(file: Path) -> None:
    request = asked(file)
    assert (request.config.dataset, request.config.norm, request.eps) == ("cifar10", "l2", (0.75,))
    assert (request.config.model.name, request.config.model.width) == ("preact-resnet18", 4)
    assert request.config.model.shortcut == "input"
    assert (request.weights, request.run) == (str(file), "")


def test_what_is_typed_beats_the_file(file: Path) -> None:
    request = asked(file, dataset="cifar100", eps="0.25,0.5", model__width="8", eval__attack="pgd-3")
    assert (request.config.dataset, request.eps) == ("cifar100", (0.25, 0.5))
    assert (request.config.model.width, request.config.model.shortcut) == (8, "input")
    assert request.config.eval.attack == "pgd-3"


def test_another_norm_needs_an_eps_of_its_own(file: Path) -> None:
    request = asked(file, eps="8", norm="linf")
    assert (request.config.norm, request.eps) == ("linf", (8 / 255,))
    assert asked(file, norm="linf").eps == (8 / 255,)  # the preset's, as for any file


def test_another_network_takes_no_settings_of_the_files_network(file: Path) -> None:
    request = asked(file, model__name="pooled-cnn")
    assert (request.config.model.name, request.config.model.shortcut) == ("pooled-cnn", "activation")


def test_a_file_without_a_description_still_wants_a_data_set(home: Path, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(b"x")
    with pytest.raises(ConfigError, match="add --dataset NAME"):
        asked(tmp_path / "w.pt")


@pytest.mark.parametrize("name", zoo.ZOO)
def test_a_model_of_the_zoo_tells_everything(name: str, home: Path) -> None:
    place = home / "weights" / "zoo" / f"{name}.pt"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    model, request = zoo.ZOO[name], asked(f"zoo:{name}")
    assert (request.config.dataset, request.config.norm) == (model.dataset, model.norm)
    assert request.eps == ({"0.5": 0.5, "8/255": 8 / 255, "0.031": 0.031}[model.eps],)
    assert (request.normalize, request.key) == (model.normalize, model.key)
    assert request.config.model.name == model.settings["model.name"]
    other = asked(f"zoo:{name}", eps="1", norm="linf" if model.norm == "l2" else "l2")
    assert other.config.norm != model.norm
