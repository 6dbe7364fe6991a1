"""Which arithmetic a run gets, and what is said of one that the GPU does not have. GPUs are stubs."""

import pytest
import torch

from engine.runtime import precision

GPU = torch.device("cuda:0")
TURING, AMPERE = (7, 5), (8, 0)


@pytest.mark.parametrize(("capability", "chosen"), [(TURING, "fp16"), (AMPERE, "bf16"), ((12, 0), "bf16")])
def test_auto_takes_what_the_gpu_has(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], chosen: str) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precision.choose("auto", GPU)[0] == chosen


@pytest.mark.parametrize(
    ("asked", "device", "capability", "said"),
    [
        ("bf16", "cuda:0", TURING, True),
        ("bf16", "cuda:0", AMPERE, False),
        ("fp16", "cuda:0", TURING, False),
        ("auto", "cuda:0", TURING, False),
        ("bf16", "cpu", TURING, False),
    ],
)
def test_bf16_on_a_gpu_that_only_emulates_it_is_said(
    monkeypatch: pytest.MonkeyPatch, asked: str, device: str, capability: tuple[int, int], said: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    notes = precision.emulated("precision", asked, torch.device(device))
    assert bool(notes) == said
    if said:
        assert "no native bf16" in notes[0]
        assert "--set precision=auto" in notes[0]


@pytest.mark.parametrize(
    ("asked", "uses", "words"),
    [
        ("fp32", ["convolutions"], "fp32 (tf32 convolutions)"),
        ("fp32", ["convolutions", "matrix products"], "fp32 (tf32 convolutions and matrix products)"),
        ("fp32", [], "fp32"),
        ("bf16", ["convolutions"], "bf16"),
    ],
)
def test_fp32_on_a_gpu_says_what_is_rounded_to_tf32(
    monkeypatch: pytest.MonkeyPatch, asked: str, uses: list[str], words: str
) -> None:
    monkeypatch.setattr(precision, "tf32_uses", lambda device: uses)
    assert precision.in_words(asked, GPU) == words
