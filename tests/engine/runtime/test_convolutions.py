"""cuDNN tries its kernels for sizes that come again many times, and for no other ones."""

from collections.abc import Iterator

import pytest
import torch

from engine.runtime.convolutions import fastest_convolutions

GPU, CPU = torch.device("cuda:0"), torch.device("cpu")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    yield
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before


@pytest.mark.parametrize(
    ("device", "fixed", "deterministic", "tries"),
    [(GPU, True, False, True), (GPU, False, False, False), (GPU, True, True, False), (CPU, True, False, False)],
)
def test_kernels_are_tried_on_a_gpu_for_fixed_sizes(
    device: torch.device, fixed: bool, deterministic: bool, tries: bool
) -> None:
    torch.backends.cudnn.deterministic = deterministic
    with fastest_convolutions(device, fixed):
        assert torch.backends.cudnn.benchmark is tries
    assert torch.backends.cudnn.benchmark is False


def test_an_error_ends_the_trying_too() -> None:
    with pytest.raises(ValueError, match="no step"), fastest_convolutions(GPU, True):
        raise ValueError("no step")
    assert torch.backends.cudnn.benchmark is False
