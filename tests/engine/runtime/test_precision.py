"""The name of a precision is true."""

import pytest
import torch

from engine.runtime.precision import in_words


@pytest.mark.parametrize(
    ("precision", "uses", "words"),
    [
        ("fp32", ["convolutions"], "fp32 (tf32 convolutions)"),
        ("fp32", ["convolutions", "matrix products"], "fp32 (tf32 convolutions and matrix products)"),
        ("fp32", [], "fp32"),
        ("bf16", ["convolutions"], "bf16"),
    ],
)
def test_fp32_on_a_gpu_says_what_is_rounded_to_tf32(
    monkeypatch: pytest.MonkeyPatch, precision: str, uses: list[str], words: str
) -> None:
    monkeypatch.setattr("engine.runtime.precision.tf32_uses", lambda device: uses)
    assert in_words(precision, torch.device("cuda")) == words
