"""An evaluation holds a free slot of its device; on a device in use, the run that holds the device is named."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastadv_tui.errors import DeviceError
from fastadv_tui.runs import control
from fastadv_tui.runs.evaluation_slot import evaluation_slot
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.slots import free_slot
from tests.support.gpu_machine import show_gpus
from tests.support.runs import engine_pid, submit, verdict, wait_for_status


@pytest.mark.usefixtures("fake_engine")
def test_a_run_waits_while_an_evaluation_holds_the_slot_and_an_evaluation_names_the_run_that_does() -> None:
    with evaluation_slot("auto") as in_use:
        assert in_use == ""
        assert os.environ["FASTADV_DEVICE"] == "cpu"
        rundir = submit("forever")
        assert verdict(rundir).status == "queued"
        with evaluation_slot("cpu") as second:
            assert second.startswith("the CPU is in use by another evaluation; the evaluation shares the device")
    assert "FASTADV_DEVICE" not in os.environ
    engine_pid(rundir)
    with evaluation_slot("cpu") as in_use:
        assert in_use.startswith(f"the CPU is in use by {rundir.id}; ")
    control.stop(rundir)
    wait_for_status(rundir, "stopped")


def test_an_evaluation_takes_the_gpu_that_is_free(
    home: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvml = show_gpus(monkeypatch, tmp_path / "nvml")
    with evaluation_slot("cuda:1"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    folder = RunQueue.of_home().slots
    first = free_slot(folder, "GPU-0", 1)
    with evaluation_slot("auto"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    second = free_slot(folder, "GPU-1", 1)
    for free in ("GPU-0", "GPU-1"):
        memory = {handle: SimpleNamespace(used=10 if f"GPU-{handle}" == free else 70, total=80) for handle in (0, 1)}
        monkeypatch.setattr(nvml, "nvmlDeviceGetMemoryInfo", memory.__getitem__)
        with evaluation_slot("auto") as in_use:
            assert in_use.startswith("every GPU is in use by another evaluation")
            assert (os.environ["FASTADV_DEVICE"], os.environ["CUDA_VISIBLE_DEVICES"]) == ("cuda", free)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    for slot in (first, second):
        assert slot is not None
        os.close(slot.handle)
    with pytest.raises(DeviceError, match=r"^device = cuda:2 is not there"), evaluation_slot("cuda:2"):
        pass
