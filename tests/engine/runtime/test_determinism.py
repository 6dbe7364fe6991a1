"""Deterministic arithmetic on a GPU: every switch of torch, and none on a CPU."""

import os
from collections.abc import Iterator

import pytest
import torch

from engine.commands.evaluate import _RequestedEvaluation
from engine.config.presets import build
from engine.protocol.requests import EvalRequest
from engine.runtime.determinism import compute_deterministically
from engine.training.setup import set_up

CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that it is restored
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic = False


def is_on() -> bool:
    on = [
        torch.backends.cudnn.deterministic,
        not torch.backends.cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),  # max pooling has no deterministic backward pass
        os.environ.get("CUBLAS_WORKSPACE_CONFIG") in (":4096:8", ":16:8"),  # the values that cuBLAS documents
    ]
    assert all(on) or not any(on[2:])
    return all(on)


def test_a_gpu_is_deterministic_and_a_cpu_stays_as_it_is() -> None:
    compute_deterministically(torch.device("cpu"))
    assert not is_on()
    compute_deterministically(CUDA)
    assert is_on()


def test_the_buffers_that_the_user_has_chosen_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    compute_deterministically(CUDA)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


@pytest.mark.parametrize("choice", ["on", "off"])
def test_a_training_and_an_evaluation_obey_the_setting(monkeypatch: pytest.MonkeyPatch, choice: str) -> None:
    config = build("digits", {"deterministic": choice})
    request = EvalRequest(config=config, weights="", eps=(0.1,), folder="")
    for user, begin in (
        ("training.setup", lambda: set_up(config)),
        ("commands.evaluate", lambda: _RequestedEvaluation(request)),
    ):
        monkeypatch.setattr(f"engine.{user}.pick", lambda name: CUDA)
        monkeypatch.setattr(f"engine.{user}.precision.choose", _stop)  # before anything needs the GPU
        torch.use_deterministic_algorithms(False)
        with pytest.raises(KeyboardInterrupt):
            begin()
        assert torch.are_deterministic_algorithms_enabled() == (choice == "on")


def _stop(*_: object) -> None:
    raise KeyboardInterrupt
