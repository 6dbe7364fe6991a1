"""fp32 is IEEE fp32 in evaluations, whatever switch or environment variable turns TF32 on."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import torch
from torch import backends

from engine.commands.evaluate import _RequestedEvaluation
from engine.config.errors import ConfigError
from engine.config.presets import build
from engine.protocol.requests import EvalRequest
from engine.runtime import fp32
from engine.runtime.fp32 import check_fp32, full_fp32, tf32_uses
from engine.training.setup import set_up

CUDA = torch.device("cuda")
NEW = hasattr(backends.cudnn, "conv")
new_torch = pytest.mark.skipif(not NEW, reason="this torch has no fp32_precision")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    if NEW:
        backends.fp32_precision = "none"  # type: ignore[attr-defined]
        for part in (backends.mkldnn.conv, backends.mkldnn.rnn):  # type: ignore[attr-defined]
            part.fp32_precision = "none"
    backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("highest")


def switches() -> dict[str, object]:
    """Every switch by its name; `mixed` for one that torch does not tell, because old and new ones disagree."""
    names = ["cudnn.allow_tf32", "cuda.matmul.allow_tf32"]
    if NEW:
        names += [f"{part}.fp32_precision" for part in ("cudnn.conv", "cudnn.rnn", "cuda.matmul", "mkldnn.conv")]
    found: dict[str, object] = {}
    for name in names:
        value: object = backends
        try:
            for part in name.split("."):
                value = getattr(value, part)
        except RuntimeError:
            value = "mixed"
        found[name] = value
    return found


def by_old_switch() -> None:
    torch.set_float32_matmul_precision("high")


def by_matmul() -> None:
    backends.cuda.matmul.fp32_precision = "tf32"  # type: ignore[attr-defined]


def by_conv() -> None:
    backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]


def by_all() -> None:
    backends.fp32_precision = "tf32"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "turn_on",
    [
        lambda: None,
        by_old_switch,
        pytest.param(by_matmul, marks=new_torch),
        pytest.param(by_conv, marks=new_torch),
        pytest.param(by_all, marks=new_torch),
    ],
)
def test_every_switch_is_ieee_inside_and_as_before_outside(turn_on: Callable[[], None]) -> None:
    turn_on()
    before = switches()
    with pytest.raises(KeyError), full_fp32():
        inside = switches()
        raise KeyError
    assert {inside["cudnn.allow_tf32"], inside["cuda.matmul.allow_tf32"]} == {False}  # so none is "mixed", either
    assert {value for name, value in inside.items() if name.endswith("fp32_precision")} <= {"ieee"}
    assert switches() == before


def test_the_variable_of_containers_for_matrix_products_is_overruled() -> None:
    """NVIDIA's containers set it. torch reads it once, when it is loaded."""
    code = (
        "import torch; from engine.runtime.fp32 import full_fp32\n"
        "before = torch.backends.cuda.matmul.allow_tf32\n"
        "with full_fp32(): print(before, torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)"
    )
    environment = {**os.environ, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "False"]


@pytest.mark.parametrize("value", ["1", "2"])
def test_a_variable_that_no_function_of_torch_can_overrule_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", value)
    with pytest.raises(ConfigError, match=f"NVIDIA_TF32_OVERRIDE={value} .* unset NVIDIA_TF32_OVERRIDE"):
        check_fp32(CUDA)
    check_fp32(torch.device("cpu"))  # has no TF32
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")  # never TF32
    check_fp32(CUDA)


def test_a_torch_without_the_new_switches_has_the_old_ones_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch 2.5 to 2.8 are."""
    cudnn, precisions = SimpleNamespace(allow_tf32=True), ["high"]
    monkeypatch.setattr(fp32, "backends", SimpleNamespace(cudnn=cudnn))
    monkeypatch.setattr(fp32, "_PARTS", ((cudnn, "conv"),))
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: precisions[-1])
    monkeypatch.setattr(torch, "set_float32_matmul_precision", precisions.append)
    with full_fp32():
        assert (cudnn.allow_tf32, precisions[-1]) == (False, "highest")
    assert (cudnn.allow_tf32, precisions[-1]) == (True, "high")


@pytest.mark.parametrize(
    ("capability", "turn_on", "uses"),
    [
        ((8, 0), lambda: None, ["convolutions"]),  # torch's own choice
        ((7, 5), lambda: None, []),  # no hardware for TF32
        ((9, 0), by_old_switch, ["convolutions", "matrix products"]),
        pytest.param((8, 0), by_conv, [], marks=new_torch),
    ],
)
def test_what_a_gpu_computes_in_tf32(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], turn_on: Callable[[], None], uses: list[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    turn_on()
    assert tf32_uses(CUDA) == uses
    assert tf32_uses(torch.device("cpu")) == []


def test_a_training_and_an_evaluation_on_a_gpu_refuse_that_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    for user in ("training.setup", "commands.evaluate"):
        monkeypatch.setattr(f"engine.{user}.pick", lambda name: CUDA)
    config = build("digits", {})
    with pytest.raises(ConfigError, match="NVIDIA_TF32_OVERRIDE"):
        set_up(config)
    with pytest.raises(ConfigError, match="NVIDIA_TF32_OVERRIDE"):
        _RequestedEvaluation(EvalRequest(config=config, weights="", eps=(0.1,), folder=""))
