"""The GPUs that runs may use: lost ones keep their numbers, partitioned ones give their instances."""

import sys

import pytest

from fastadv_tui.hardware import gpus
from tests.support.nvml import NvmlError, StandInNvml


def uuids(nvml: StandInNvml, visible: str | None = None) -> list[str]:
    """By number: the UUID of each device that works; `-` for one that does not."""
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    return ["-" if device.problem else device.uuid for device in gpus.visible(gpus.read(nvml).devices, environ)]


def lost(count: int, *numbers: int, text: str = "GPU is lost") -> StandInNvml:
    nvml = StandInNvml(count=count)
    nvml.broken, nvml.error = {("nvmlDeviceGetHandleByIndex", number) for number in numbers}, NvmlError(text)
    return nvml


# As CUDA reads the variable. GPU 1 is one of four and has two instances.
WORDS = {
    None: ["GPU-0", "MIG-1-0", "MIG-1-1", "GPU-2", "GPU-3"],
    "": [],
    "-1": [],
    "NoDevFiles": [],
    "1": ["MIG-1-0"],
    " 3 , 0": ["GPU-2", "GPU-0"],
    "0,1,2,3": ["GPU-0", "MIG-1-0", "MIG-1-1", "GPU-2"],
    "1:1,1:0": ["MIG-1-1", "MIG-1-0"],
    "1:1,1:2,0": ["MIG-1-1"],
    "0:0": [],
    "GPU-3,MIG-1-1": ["GPU-3", "MIG-1-1"],
    "GPU-1": ["MIG-1-0", "MIG-1-1"],
    "GPU": [],
    "0,9,1": ["GPU-0"],
    "0,nonsense,1": ["GPU-0"],
    "MIG-GPU-1/7/0,0": ["MIG-GPU-1/7/0", "GPU-0"],
}


@pytest.mark.parametrize(("words", "expected"), WORDS.items(), ids=map(str, WORDS))
def test_the_instances_of_a_partitioned_gpu_are_devices_in_its_place(words: str | None, expected: list[str]) -> None:
    assert uuids(StandInNvml(count=4, mig={1: 2}), words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (None, ["GPU-0", "-", "GPU-2"]),
        ("2,1,0", ["GPU-2", "-", "GPU-0"]),
        ("GPU-2,GPU-1,GPU-0", ["GPU-2", "-", "GPU-0"]),
        ("1", ["-"]),
    ],
)
def test_a_lost_gpu_hides_no_other_and_the_numbers_keep_their_meaning(words: str | None, expected: list[str]) -> None:
    assert uuids(lost(3, 1), words) == expected


def test_a_gpu_that_answers_to_its_name_alone_is_lost() -> None:
    nvml = StandInNvml(count=2)
    nvml.broken = {(name, 0) for name in dir(StandInNvml) if name.startswith("nvmlDeviceGet")}
    nvml.broken -= {(f"nvmlDeviceGet{name}", 0) for name in ("HandleByIndex", "Name", "UUID")}
    assert uuids(nvml) == ["-", "GPU-1"]


def test_a_partitioned_gpu_without_an_instance_says_so() -> None:
    first, second = gpus.read(StandInNvml(count=2, mig={0: 0})).devices
    assert first.problem == "GPU 0 has MIG on and no instance"
    assert second.uuid == "GPU-1"


@pytest.mark.parametrize("text", ["Insufficient Permissions", "The operating system has blocked the request."])
def test_a_gpu_of_others_is_not_counted_as_a_lost_one_is(text: str) -> None:
    nvml = lost(3, 0, 2, text=text)
    assert [(device.number, device.uuid) for device in gpus.read(nvml).devices] == [("1", "GPU-1")]
    assert uuids(nvml, "0") == ["GPU-1"]
    assert uuids(lost(3, 0, 2)) == ["-", "GPU-1", "-"]


ERRORS = {
    "NVML Shared Library Not Found": "",
    "Driver Not Loaded": "",
    "Insufficient Permissions": "",
    "RM has detected an NVML/RM version mismatch.": "RM has detected an NVML/RM version mismatch",
    "Unknown Error": "Unknown Error",
}


@pytest.mark.parametrize(("text", "error"), ERRORS.items())
def test_a_driver_that_is_missing_is_told_from_one_that_fails(text: str, error: str) -> None:
    nvml = StandInNvml()
    nvml.broken, nvml.error = {("nvmlInit", None)}, NvmlError(text)
    assert gpus.read(nvml) == gpus.Found([], error)


def test_nvml_is_closed_again() -> None:
    nvml = StandInNvml()
    gpus.read(nvml)
    assert nvml.calls[-1] == "nvmlShutdown"


def test_a_machine_without_the_library_has_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpus.read() == gpus.Found([])


@pytest.mark.parametrize(
    ("words", "hides"),
    [(None, False), ("", True), ("-1", True), ("NoDevFiles", True), ("0", False), ("0:1", False), ("GPU-a", False)],
)
def test_a_user_may_hide_all_gpus(words: str | None, hides: bool) -> None:
    assert gpus.hidden({} if words is None else {"CUDA_VISIBLE_DEVICES": words}) == hides
