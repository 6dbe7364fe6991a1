"""Copies of a state: nothing in them changes when the training goes on."""

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.runtime.host_copy import copy_to_host
from tests.support.networks import CPU, digits_model


def test_a_copy_does_not_change_with_the_original() -> None:
    state: dict[str, Any] = {
        "weights": torch.ones(3),
        "nested": {"best": {"watch": 0.5}, "raised": ["signal"], "pair": (torch.zeros(2), 4)},
        "none": None,
    }
    copied = copy_to_host(state, CPU).state
    state["weights"].add_(1)
    state["nested"]["best"]["watch"] = 0.9
    state["nested"]["raised"].append("guard")
    state["nested"]["pair"][0].fill_(7)
    assert copied["weights"].tolist() == [1, 1, 1]
    assert (copied["nested"]["best"], copied["nested"]["raised"]) == ({"watch": 0.5}, ["signal"])
    assert (copied["nested"]["pair"][0].tolist(), copied["nested"]["pair"][1]) == ([0, 0], 4)
    assert copied["none"] is None


def test_the_copy_of_a_state_dict_is_a_state_dict_of_the_same_layout() -> None:
    model = digits_model().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = model.state_dict()
    copied = copy_to_host(state, CPU).state
    assert isinstance(copied, OrderedDict)
    assert copied._metadata == state._metadata  # type: ignore[attr-defined]  # torch reads versions of modules there
    assert [*copied] == [*state]
    for name, value in state.items():
        assert torch.equal(copied[name], value)
        assert copied[name].stride() == value.stride()
        assert not copied[name].requires_grad


def test_what_occurs_twice_is_copied_once() -> None:
    weights = {"a": torch.rand(4)}
    one, two = copy_to_host([{"model": weights}, {"model": weights, "step": 1}], CPU).state
    assert one["model"]["a"] is two["model"]["a"]


def test_a_copy_takes_no_more_memory_than_the_tensors_have() -> None:
    whole = torch.rand(1000)
    copied = copy_to_host({"part": whole[:10]}, CPU).state["part"]
    assert copied.untyped_storage().nbytes() == 40


def test_a_copy_of_a_gpu_is_waited_for_by_the_mark_on_the_stream_of_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []
    mark = SimpleNamespace(synchronize=lambda: made.append("waited"))
    stream = SimpleNamespace(record_event=lambda: made.append("marked") or mark)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(torch.Tensor, "to", _told(torch.Tensor.to, made))
    copy = copy_to_host({"a": torch.rand(2)}, torch.device("cuda:0"))
    assert made == ["copied", "marked"]  # the host has waited for nothing so far
    copy.wait()
    assert made == ["copied", "marked", "waited"]


def _told(to: Any, made: list[str]) -> Any:
    def told(tensor: torch.Tensor, device: str, **options: Any) -> torch.Tensor:
        assert (device, options) == ("cpu", {"non_blocking": True, "copy": True})
        made.append("copied")
        result: torch.Tensor = to(tensor, device, **options)
        return result

    return told
