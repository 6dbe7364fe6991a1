"""Checkpoints with several sets of weights, in the forms of other tools: the set that was taken is said and chosen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.config.datasets import datasets
from engine.config.errors import ConfigError
from engine.config.sections import ModelConfig
from engine.models import pretrained
from engine.models.build import build_network

FACTS = datasets()["digits"].facts
MODEL = ModelConfig(name="digits-cnn", width=4)
State = dict[str, Tensor]


def network(seed: int) -> State:
    """The tensors of a network without its normalisation, with names as a plain Sequential has them."""
    torch.manual_seed(seed)
    state = build_network(MODEL, FACTS)[1].state_dict()  # type: ignore[index]
    return {name: torch.rand_like(value) for name, value in state.items()}


RAW, OTHER = network(0), network(1)
EXTRA = {"optimizer": {"state": {0: {"exp_avg": torch.ones(4)}}, "param_groups": [{"lr": 0.1}]}, "epoch": 3}


def under(prefix: str, state: State) -> State:
    return {prefix + name: value for name, value in state.items()}


def madry(state: State) -> State:
    buffers = {"new_mean": torch.tensor([[[0.25]]]), "new_std": torch.tensor([[[0.5]]])}
    attacker = under("attacker.normalize.", buffers) | under("attacker.model.", state)
    return under("module.", under("normalizer.", buffers) | under("model.", state) | attacker)


# content of the file, the set that is taken, the other sets
FORMS: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "timm with an average": (
        {"state_dict": RAW, "state_dict_ema": OTHER, "arch": "x"} | EXTRA,
        "state_dict",
        ("state_dict_ema",),
    ),
    "average first": ({"model_ema": OTHER, "model": RAW} | EXTRA, "model", ("model_ema",)),
    "robustness of MadryLab": ({"model": madry(RAW), "nat_prec1": 90.0} | EXTRA, "model.model", ()),
    "Lightning": (
        {"state_dict": under("model.", RAW) | {"criterion.weight": torch.ones(10)}, "loops": {}, "callbacks": {}}
        | EXTRA,
        "",
        (),
    ),
    "RobustBench": (under("model.", RAW) | {"mu": torch.tensor([0.25]), "sigma": torch.tensor([0.5])}, "", ()),
    "DataParallel": ({"state_dict": under("module.", RAW)} | EXTRA, "", ()),
    "torch.compile": (under("_orig_mod.", RAW), "", ()),
    "an unknown key": ({"my_best_net": RAW} | EXTRA, "", ()),
    "average of torch": (under("module.", RAW) | {"n_averaged": torch.tensor(7)}, "", ()),
    "teacher and student": (
        {"state_dict": under("teacher.", OTHER) | under("student.", RAW)},
        "state_dict.student",
        ("state_dict.teacher",),
    ),
    "generations": ({"generations": [RAW, OTHER]}, "generations.0", ("generations.1",)),
    "counters in the set": (
        RAW | {"steps": torch.tensor(3), "loss_fn.weight": torch.ones(10), "train_acc.correct": torch.ones(1)},
        "",
        (),
    ),
}


def load(path: Path, key: str = "") -> tuple[nn.Module, pretrained.Loaded]:
    model = build_network(MODEL, FACTS)
    return model, pretrained.load_into(model, pretrained.read(path), MODEL, FACTS, "", key)


def holds(model: nn.Module, state: State) -> bool:
    return all(torch.equal(value, state[name]) for name, value in model[1].state_dict().items())  # type: ignore[index]


@pytest.mark.parametrize("form", FORMS)
def test_the_set_that_was_taken_is_said_and_what_else_there_is(tmp_path: Path, form: str) -> None:
    content, source, others = FORMS[form]
    torch.save(content, tmp_path / "w.pt")
    model, loaded = load(tmp_path / "w.pt")
    assert holds(model, RAW)
    assert (loaded.matched, loaded.source, loaded.others) == ("by name", source, others)


@pytest.mark.parametrize("form", ["timm with an average", "average first", "teacher and student", "generations"])
def test_another_set_is_taken_by_its_key(tmp_path: Path, form: str) -> None:
    content, _, (other,) = FORMS[form]
    torch.save(content, tmp_path / "w.pt")
    for key in (other, "teacher") if form.startswith("teacher") else (other,):
        model, loaded = load(tmp_path / "w.pt", key)
        assert holds(model, OTHER)
        assert loaded.source == other


@pytest.mark.parametrize("form", ["robustness of MadryLab", "RobustBench"])
def test_the_normalisation_beside_the_network_is_taken(tmp_path: Path, form: str) -> None:
    torch.save(FORMS[form][0], tmp_path / "w.pt")
    model, loaded = load(tmp_path / "w.pt")
    assert loaded.normalize == "the file's mean and std"
    assert (model[0].mean.item(), model[0].std.item()) == (0.25, 0.5)  # type: ignore[index, union-attr, operator]


def test_tensors_beside_the_network_are_named(tmp_path: Path) -> None:
    torch.save(FORMS["Lightning"][0], tmp_path / "w.pt")
    assert load(tmp_path / "w.pt")[1].ignored == ("criterion.weight",)
    torch.save(FORMS["counters in the set"][0], tmp_path / "w.pt")
    assert set(load(tmp_path / "w.pt")[1].ignored) == {"steps", "loss_fn.weight", "train_acc.correct"}


def test_what_went_where_is_told_with_the_names_in_the_set(tmp_path: Path) -> None:
    torch.save(FORMS["teacher and student"][0], tmp_path / "w.pt")
    assert load(tmp_path / "w.pt")[1].places == {f"1.{name}": f"student.{name}" for name in RAW}


def test_a_key_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    torch.save(FORMS["timm with an average"][0], tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=r"--key ema: .* \(it has state_dict, state_dict_ema\)"):
        load(tmp_path / "w.pt", "ema")


def _nothing(state: State) -> State:
    return {"head." + name: value for name, value in state.items() if value.ndim == 1}


def _second_head(state: State) -> State:
    return state | {"head2.weight": torch.ones(10, 10)}


@pytest.mark.parametrize("change", [_nothing, _second_head])
def test_a_file_in_which_no_set_fits_is_refused(tmp_path: Path, change: Callable[[State], State]) -> None:
    torch.save({"state_dict": change(RAW)}, tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=r"no tensor of the file fits|left over"):
        load(tmp_path / "w.pt")


def test_a_tensor_that_is_not_finite_is_named_as_in_the_file(tmp_path: Path) -> None:
    broken = {name: value.clone() for name, value in RAW.items()}
    broken["0.weight"].view(-1)[3] = float("nan")
    torch.save(under("student.", broken) | under("teacher.", OTHER), tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=r"the tensor student\.0\.weight holds NaN"):
        load(tmp_path / "w.pt")
