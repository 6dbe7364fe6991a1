"""The slots of a host: locks that end with their last holder, and the devices that a run may take."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastadv_tui.errors import DeviceError
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.slots import CPU, Slot, devices_for, free_slot
from tests.support.nvml import NvmlError, StandInNvml


def test_a_device_has_as_many_slots_as_a_run_allows(tmp_path: Path) -> None:
    first = free_slot(tmp_path, CPU, 1)
    assert isinstance(first, Slot)
    assert free_slot(tmp_path, CPU, 1) is None
    assert free_slot(tmp_path, "GPU-a", 1) is not None
    second = free_slot(tmp_path, CPU, 2)
    assert second is not None
    assert free_slot(tmp_path, CPU, 2) is None
    os.close(first.handle)
    assert free_slot(tmp_path, CPU, 1) is not None


def test_an_instance_with_slashes_in_its_name_has_a_slot(tmp_path: Path) -> None:
    slot = free_slot(tmp_path, "MIG-GPU-a/1/0", 1)
    assert slot is not None
    assert free_slot(tmp_path, "MIG-GPU-a/1/0", 1) is None
    assert free_slot(tmp_path, "MIG-GPU-a/2/0", 1) is not None
    assert slot.environment()["CUDA_VISIBLE_DEVICES"] == "MIG-GPU-a/1/0"


def test_a_child_that_inherited_the_slot_holds_it(tmp_path: Path) -> None:
    slot = free_slot(tmp_path, CPU, 1)
    assert slot is not None
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(slot.handle,), stdout=subprocess.DEVNULL
    )
    os.close(slot.handle)
    assert free_slot(tmp_path, CPU, 1) is None
    child.communicate(b"\n")
    assert free_slot(tmp_path, CPU, 1) is not None


def test_a_lock_file_is_held_once(tmp_path: Path) -> None:
    handle = try_lock(tmp_path / "lock")
    assert handle is not None
    assert try_lock(tmp_path / "lock") is None
    os.close(handle)
    assert try_lock(tmp_path / "lock") is not None


def machine(monkeypatch: pytest.MonkeyPatch, nvml: StandInNvml, visible: str | None = None) -> None:
    """Let this process see the GPUs of a stand-in."""
    monkeypatch.setitem(sys.modules, "pynvml", nvml)  # type: ignore[arg-type]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)


def test_the_devices_of_a_run_follow_its_setting_and_the_visible_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, StandInNvml(count=3), visible="1,0")
    assert devices_for("cpu") == (CPU,)
    assert devices_for("auto") == ("GPU-1", "GPU-0")
    assert devices_for("cuda:1") == ("GPU-0",)
    with pytest.raises(DeviceError, match=r"cuda:2 is not there: this machine has 2 usable GPU"):
        devices_for("cuda:2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices_for("auto") == (CPU,)


def test_each_instance_of_a_partitioned_gpu_is_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, StandInNvml(count=2, mig={0: 2}))
    assert devices_for("auto") == ("MIG-0-0", "MIG-0-1", "GPU-1")
    assert devices_for("cuda:2") == ("GPU-1",)


def test_a_lost_gpu_is_refused_by_its_number_and_auto_takes_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = StandInNvml(count=3)
    nvml.broken = {(None, 1)}
    machine(monkeypatch, nvml)
    assert devices_for("auto") == ("GPU-0", "GPU-2")
    assert devices_for("cuda:2") == ("GPU-2",)
    with pytest.raises(DeviceError, match=r"^device = cuda:1: GPU 1 is lost; use --device auto or another GPU$"):
        devices_for("cuda:1")


def test_auto_never_takes_the_cpu_in_place_of_gpus_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = StandInNvml(count=2)
    nvml.broken = {(None, 0), (None, 1)}
    machine(monkeypatch, nvml)
    with pytest.raises(DeviceError, match=r"^device = auto: no GPU works: GPU 0 is lost, GPU 1 .*--device cpu"):
        devices_for("auto")
    nvml.error = NvmlError("Insufficient Permissions")  # a batch system has given the GPUs to others
    assert devices_for("auto") == (CPU,)
    nvml.broken, nvml.error = {("nvmlInit", None)}, NvmlError("Unknown Error")
    with pytest.raises(DeviceError, match=r"the GPU driver gives an error \(Unknown Error\); .*--device cpu"):
        devices_for("auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert devices_for("auto") == (CPU,)


def test_auto_never_takes_the_cpu_because_a_gpu_was_misspelt(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, StandInNvml(count=2), visible="GPU-7")
    with pytest.raises(DeviceError, match=r"^device = auto: CUDA_VISIBLE_DEVICES=GPU-7 names no GPU .*--device cpu$"):
        devices_for("auto")
    machine(monkeypatch, StandInNvml(count=0), visible="0")  # of a shell that is the same on all hosts
    assert devices_for("auto") == (CPU,)


def test_a_machine_without_a_driver_trains_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = StandInNvml()
    nvml.broken, nvml.error = {("nvmlInit", None)}, NvmlError("NVML Shared Library Not Found")
    machine(monkeypatch, nvml)
    assert devices_for("auto") == (CPU,)
    with pytest.raises(DeviceError, match="no usable GPU; use --device auto or cpu"):
        devices_for("cuda:0")


def test_a_slot_gives_the_engine_its_device_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, StandInNvml(count=0))
    assert Slot(CPU, 0).environment() == {"FASTADV_DEVICE": "cpu", "FASTADV_RUNS_ON_HOST": "1"}
    assert Slot("GPU-a", 0).environment() == {
        "FASTADV_DEVICE": "cuda",
        "CUDA_VISIBLE_DEVICES": "GPU-a",
        "FASTADV_RUNS_ON_HOST": "1",
    }


@pytest.mark.parametrize(
    ("visible", "slots", "runs"), [(None, 1, "4"), (None, 2, "8"), ("0,3", 1, "2"), ("2", 1, "1"), ("0", 3, "3")]
)
def test_the_engine_learns_how_many_runs_may_share_its_host(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, slots: int, runs: str
) -> None:
    """One GPU of five is lost. A batch system may have given only some of them to the user."""
    nvml = StandInNvml(count=5)
    nvml.broken = {(None, 1)}
    machine(monkeypatch, nvml, visible)
    assert Slot("GPU-0", 0).environment(slots)["FASTADV_RUNS_ON_HOST"] == runs
