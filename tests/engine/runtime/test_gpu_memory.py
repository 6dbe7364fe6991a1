"""The memory of a GPU: its peak, and one line when it is full. A stand-in takes the place of torch's CUDA."""

from types import SimpleNamespace

import pytest
import torch

from engine.runtime.gpu_memory import (
    GpuMemoryError,
    explaining_full_memory,
    peak,
    smaller_evaluation,
    smaller_part,
)

TORCHS_OWN = "CUDA out of memory. Tried to allocate 1.20 GiB. GPU 0 has a total capacity of 10.75 GiB"


def test_the_peak_is_that_of_the_gpu_and_nothing_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"cuda:1": 7 * 10**9}
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: held[str(device)])
    assert peak(torch.device("cuda", 1)) == 7 * 10**9
    assert peak(torch.device("cpu")) == 0


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(TORCHS_OWN),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_a_full_gpu_is_one_line_with_its_size_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: SimpleNamespace(total_memory=10.7e9))
    with pytest.raises(GpuMemoryError) as caught, explaining_full_memory(smaller_part(128)):
        raise error
    assert str(caught.value) == (
        "out of GPU memory (10.7 GB): 128 images at once do not fit; start a new run with --set micro_batch=64"
    )
    assert caught.value.__cause__ is error


def test_a_device_that_does_not_tell_its_size_does_not_hide_that_it_is_full() -> None:
    with pytest.raises(GpuMemoryError, match=r"^out of GPU memory: 3 images"), explaining_full_memory(smaller_part(3)):
        raise torch.OutOfMemoryError(TORCHS_OWN)


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="illegal memory access"), explaining_full_memory("advice"):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


def test_the_advice_names_a_setting_only_where_it_helps() -> None:
    assert "micro_batch=8" in smaller_part(16)
    assert "micro_batch" not in smaller_part(1)
    assert "micro_batch=8" in smaller_evaluation(16, follows_micro_batch=True)
    assert "micro_batch" not in smaller_evaluation(250, follows_micro_batch=False)
