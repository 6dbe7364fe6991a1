"""The slots of a host: locks that end with their last holder, and the devices that a run may take."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastadv_tui.hardware import gpus
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.slots import CPU, Slot, devices_for, free_slot


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


UUIDS = ["GPU-aaa1", "GPU-bbb2", "GPU-bbb3"]
VISIBLE = {
    None: UUIDS,
    "": [],
    "-1": [],
    "1": ["GPU-bbb2"],
    "2,0": ["GPU-bbb3", "GPU-aaa1"],
    " 0 , 1": ["GPU-aaa1", "GPU-bbb2"],
    "GPU-a,2": ["GPU-aaa1", "GPU-bbb3"],
    "GPU-bbb": [],
    "0,9,1": ["GPU-aaa1"],
    "0,nonsense,1": ["GPU-aaa1"],
    "MIG-77": ["MIG-77"],
}


@pytest.mark.parametrize(("value", "expected"), VISIBLE.items(), ids=map(str, VISIBLE))
def test_visible_devices_are_read_as_cuda_reads_them(value: str | None, expected: list[str]) -> None:
    assert gpus.visible(UUIDS, {} if value is None else {"CUDA_VISIBLE_DEVICES": value}) == expected


def test_the_devices_of_a_run_follow_its_setting_and_the_visible_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "uuids", lambda: UUIDS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert devices_for("cpu") == (CPU,)
    assert devices_for("auto") == ("GPU-bbb2", "GPU-aaa1")
    assert devices_for("cuda:1") == ("GPU-aaa1",)
    with pytest.raises(LookupError, match="cuda:2"):
        devices_for("cuda:2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices_for("auto") == (CPU,)


def test_a_slot_gives_the_engine_its_device_by_the_environment() -> None:
    assert Slot(CPU, 0).environment() == {"FASTADV_DEVICE": "cpu"}
    assert Slot("GPU-a", 0).environment() == {"FASTADV_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": "GPU-a"}


def stand_in_nvml(count: int, name: Callable[[int], object]) -> SimpleNamespace:
    """A stand-in for pynvml with the functions that we use."""
    return SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: count,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUUID=name,
    )


def test_uuids_of_gpus_come_from_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "pynvml", stand_in_nvml(2, lambda index: f"GPU-{index}".encode() if index else "GPU-0")
    )  # type: ignore[arg-type]
    assert gpus.uuids() == ["GPU-0", "GPU-1"]


def test_a_machine_without_a_driver_has_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpus.uuids() == []
