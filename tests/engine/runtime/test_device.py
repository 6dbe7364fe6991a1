"""The device of a run: why torch cannot use a GPU is said, and the CPU never takes its place. The GPU is a stub."""

import re
import warnings

import pytest
import torch

from engine.commands import doctor
from engine.config.errors import ConfigError
from engine.runtime import device, no_gpu

CU126 = "--index-url https://download.pytorch.org/whl/cu126"
# What torch 2.14 says, from its source (c10/cuda/CUDAFunctions.cpp) and seen on a machine without a driver.
TOO_OLD = (
    "The NVIDIA driver on your system is too old (found version {}). Please update your GPU driver by downloading and "
    "installing a new version from the URL: http://www.nvidia.com/Download/index.aspx"
)
NO_DRIVER = "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver"


def torch_says(monkeypatch: pytest.MonkeyPatch, error: Exception, cuda: str | None = "13.0") -> None:
    """Make torch a build for a CUDA version that does not start."""

    def init() -> None:
        raise error

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch, "__version__", "2.14.1")


def torch_has(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], built_for: str) -> None:
    """Make torch find one GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda number: capability)
    monkeypatch.setattr(torch.cuda, "get_arch_list", built_for.split)


def test_a_build_without_cuda_says_so_and_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_says(monkeypatch, AssertionError("Torch not compiled with CUDA enabled"), cuda=None)
    why = no_gpu.why_no_gpu()
    assert why.startswith("torch 2.14.1 is built without CUDA; type `pip install --force-reinstall torch torchvision`")
    assert why.endswith(f"{CU126} if the driver is older than 580")


@pytest.mark.parametrize(
    ("cuda", "found", "said", "wheels"),
    [
        ("13.0", 12040, "needs a driver for CUDA 13.0, and this driver is for CUDA 12.4", True),
        ("13.0", 12000, "this driver is for CUDA 12.0", True),
        ("13.0", 11040, "this driver is for CUDA 11.4", False),
        ("12.6", 11080, "needs a driver for CUDA 12.6, and this driver is for CUDA 11.8", False),
    ],
)
def test_a_driver_that_is_too_old_says_so_and_which_wheels_run_on_it(
    monkeypatch: pytest.MonkeyPatch, cuda: str, found: int, said: str, wheels: bool
) -> None:
    torch_says(monkeypatch, RuntimeError(TOO_OLD.format(found)), cuda)
    why = no_gpu.why_no_gpu()
    assert said in why
    assert (CU126 in why) == wheels
    assert "install a newer driver" in why


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError(NO_DRIVER), "finds no CUDA driver; in a container, NVIDIA_DRIVER_CAPABILITIES must name"),
        (RuntimeError("Unexpected error from cudaGetDeviceCount()\nmore"), "says: Unexpected error from cudaGetDevice"),
    ],
)
def test_any_other_reason_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    torch_says(monkeypatch, error)
    assert said in no_gpu.why_no_gpu()
    assert "\n" not in no_gpu.why_no_gpu()


CUDA_13 = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120"


@pytest.mark.parametrize(
    ("capability", "built_for", "cure"),
    [
        ((7, 0), CUDA_13, CU126),
        ((6, 1), CUDA_13, CU126),
        ((7, 5), CUDA_13, ""),
        ((8, 9), CUDA_13, ""),
        ((12, 1), CUDA_13, ""),
        ((13, 0), CUDA_13, ""),  # the driver compiles compute_120 for newer GPUs
        ((12, 0), "sm_50 sm_80 sm_90", "pip install --upgrade torch torchvision"),
        ((9, 0), "sm_90a", ""),
        ((9, 0), "gfx942", ""),  # AMD's
        ((9, 0), "", ""),
    ],
)
def test_a_gpu_that_the_build_has_no_code_for_is_refused(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], built_for: str, cure: str
) -> None:
    torch_has(monkeypatch, capability, built_for)
    why = no_gpu.why_no_gpu()
    assert bool(why) == bool(cure)
    assert cure in why


@pytest.mark.parametrize(("second", "refused"), [((9, 0), False), ((7, 0), True)])
def test_an_old_gpu_beside_one_that_torch_can_use_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, second: tuple[int, int], refused: bool
) -> None:
    torch_has(monkeypatch, (6, 1), CUDA_13)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", [(6, 1), second].__getitem__)
    assert bool(no_gpu.why_no_gpu()) == refused


@pytest.mark.parametrize("asked", ["auto", "cuda:3"])
def test_a_run_with_the_slot_of_a_gpu_never_trains_on_the_cpu(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    torch_says(monkeypatch, RuntimeError(TOO_OLD.format(12040)))
    monkeypatch.setenv("FASTADV_DEVICE", "cuda")
    with pytest.raises(ConfigError, match=rf"^device = {asked}: torch cannot use .*CUDA 12\.4.*: --device cpu$"):
        device.pick(asked)


def test_a_run_with_the_slot_of_the_cpu_or_on_a_machine_without_a_gpu_trains_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch_says(monkeypatch, RuntimeError(NO_DRIVER))
    monkeypatch.delenv("FASTADV_DEVICE", raising=False)
    assert device.pick("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"^device = cuda:0 is not there: .*use --device auto or cpu$"):
        device.pick("cuda:0")
    monkeypatch.setenv("FASTADV_DEVICE", "cpu")
    assert device.pick("cuda:0") == torch.device("cpu")


def test_a_gpu_that_others_hold_alone_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_has(monkeypatch, (9, 0), CUDA_13)
    monkeypatch.setenv("FASTADV_DEVICE", "cuda")

    def busy(*size: int, device: torch.device) -> torch.Tensor:
        assert device == torch.device("cuda:0")
        raise RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nCUDA kernel errors")

    monkeypatch.setattr(torch, "ones", busy)
    with pytest.raises(ConfigError) as refused:
        device.pick("cuda:2")
    assert re.match(
        r"device = cuda:2: the GPU does not work or is not free: .* or unavailable; see", str(refused.value)
    )
    assert "\n" not in str(refused.value)


def test_torch_warns_of_nothing_beside_the_reason(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    def available() -> bool:
        warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old", stacklevel=2)
        return False

    torch_says(monkeypatch, RuntimeError(TOO_OLD.format(12040)))
    monkeypatch.setattr(torch.cuda, "is_available", available)
    no_gpu.why_no_gpu()
    assert not recwarn.list


def test_the_doctor_names_the_cuda_of_torch_and_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_says(monkeypatch, RuntimeError(TOO_OLD.format(12040)))
    reports = []
    monkeypatch.setattr(doctor, "answer", reports.append)
    assert doctor.doctor("/nowhere") == 0
    (report,) = reports
    assert (report.cuda, report.gpus, report.device) == ("13.0", [], "cpu")
    assert "this driver is for CUDA 12.4" in report.no_gpu
