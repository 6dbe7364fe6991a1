"""The sampler of the machine, with a stand-in for NVML, without a driver, and compared with /proc."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from fastadv_tui.hardware.nvml import Gpu, GpuReader, MigInstance, merged
from fastadv_tui.hardware.process_usage import process_tree
from fastadv_tui.hardware.sampler import Sampler
from tests.support.nvml import NvmlError, StandInNvml
from tests.support.runs import gone
from tests.support.waiting import wait_until

BUSY_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('ready', flush=True)\\nwhile True: pass"])
child.wait()
"""

WHOLE = Gpu(
    index=0,
    name="NVIDIA H100",
    uuid="GPU-0",
    utilisation=0.97,
    memory_used=10,
    memory_total=80,
    temperature=61,
    power=412.5,
    power_limit=700.0,
    pids=(100,),
)


def test_every_field_of_several_gpus_is_read() -> None:
    gpus, reason = GpuReader(StandInNvml(count=3)).read()
    assert gpus[0] == WHOLE
    assert [gpu.uuid for gpu in gpus] == ["GPU-0", "GPU-1", "GPU-2"]
    assert reason == ""


def test_nvml_is_opened_once_and_handles_and_names_are_kept() -> None:
    nvml = StandInNvml()
    reader = GpuReader(nvml)
    for _ in range(5):
        reader.read()
    for once in ("nvmlInit", "nvmlDeviceGetCount"):
        assert nvml.calls.count(once) == 1
    for once_a_gpu in ("nvmlDeviceGetHandleByIndex", "nvmlDeviceGetName", "nvmlDeviceGetUUID"):
        assert nvml.calls.count(once_a_gpu) == 2


def test_mig_instances_are_listed_under_their_gpu() -> None:
    (plain, partitioned), _ = GpuReader(StandInNvml(mig={1: 2})).read()
    assert plain == WHOLE
    assert partitioned.utilisation is None
    assert partitioned.mig == (
        MigInstance(uuid="MIG-1-0", memory_used=10, memory_total=20, pids=(200,)),
        MigInstance(uuid="MIG-1-1", memory_used=10, memory_total=20, pids=(201,)),
    )
    assert partitioned.pids == (200, 201)
    assert (plain.slots, partitioned.slots) == (("GPU-0",), ("GPU-1", "MIG-1-0", "MIG-1-1"))


FIELDS = {
    "nvmlDeviceGetName": {"name"},
    "nvmlDeviceGetUUID": {"uuid"},
    "nvmlDeviceGetUtilizationRates": {"utilisation"},
    "nvmlDeviceGetMemoryInfo": {"memory_used", "memory_total"},
    "nvmlDeviceGetTemperature": {"temperature"},
    "nvmlDeviceGetPowerUsage": {"power"},
    "nvmlDeviceGetEnforcedPowerLimit": {"power_limit"},
    "nvmlDeviceGetComputeRunningProcesses": {"pids"},
}


@pytest.mark.parametrize("error", [NvmlError("Not Supported"), AttributeError("too old"), OSError("driver gone")])
@pytest.mark.parametrize("function", FIELDS)
def test_a_field_that_fails_on_one_gpu_is_none_on_that_gpu_alone(function: str, error: Exception) -> None:
    nvml = StandInNvml()
    nvml.broken, nvml.error = {(function, 0)}, error
    (failing, whole), _ = GpuReader(nvml).read()
    assert {name for name in Gpu.__struct_fields__ if getattr(failing, name) is None} == FIELDS[function]
    assert not failing.lost
    assert None not in {getattr(whole, name) for name in Gpu.__struct_fields__}


def test_a_gpu_that_is_lost_keeps_its_name_and_comes_back() -> None:
    nvml = StandInNvml()
    reader = GpuReader(nvml)
    before, _ = reader.read()
    nvml.broken = {(None, 1)}
    (whole, lost), reason = reader.read()
    assert whole == before[0]
    assert lost == Gpu(index=1, name="NVIDIA H100", uuid="GPU-1", lost=True)
    assert reason == ""
    nvml.broken = set()
    assert reader.read() == (before, "")


def test_a_gpu_without_a_handle_keeps_its_place_and_is_asked_again() -> None:
    nvml = StandInNvml()
    nvml.broken = {("nvmlDeviceGetHandleByIndex", 0)}
    reader = GpuReader(nvml)
    (lost, whole), _ = reader.read()
    assert lost == Gpu(index=0, lost=True)
    assert whole.uuid == "GPU-1"
    nvml.broken = set()
    assert reader.read()[0][0] == WHOLE


def test_gpus_are_lost_if_nvml_dies_between_two_samples() -> None:
    nvml = StandInNvml()
    with Sampler(nvml) as sampler:
        sampler.sample()
        nvml.broken, nvml.error = {(None, None)}, NvmlError("Uninitialized")
        assert [gpu.lost for gpu in sampler.sample().gpus] == [True, True]


@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount"])
def test_a_driver_that_does_not_start_is_reported_and_asked_once(function: str) -> None:
    nvml = StandInNvml()
    nvml.broken, nvml.error = {(function, None)}, NvmlError("Driver/library version mismatch")
    with Sampler(nvml) as sampler:
        first, second = sampler.sample(), sampler.sample()
    assert first.gpus == second.gpus == ()
    assert first.no_gpus == second.no_gpus == "no GPU: its driver gives an error (Driver/library version mismatch)"
    assert nvml.calls.count("nvmlInit") == 1


def test_a_driver_with_no_gpu_says_so() -> None:
    assert GpuReader(StandInNvml(count=0)).read() == ((), "no GPU: the driver finds none")


def test_a_machine_without_a_driver_says_what_trains_instead() -> None:
    nvml = StandInNvml()
    nvml.broken, nvml.error = {("nvmlInit", None)}, NvmlError("NVML Shared Library Not Found")
    assert GpuReader(nvml).read() == ((), "no GPU: runs train on the CPU")


@pytest.mark.parametrize("missing", [True, False])
def test_missing_or_broken_nvml_bindings_are_reported(missing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None if missing else SimpleNamespace())
    gpus, reason = GpuReader().read()
    assert gpus == ()
    assert "pynvml" in reason or "nvmlInit" in reason


def test_the_real_nvml_reads_the_gpus_or_says_why_there_are_none() -> None:
    with Sampler() as sampler:
        sample = sampler.sample()
    assert bool(sample.gpus) != bool(sample.no_gpus)


def test_the_nvml_bindings_are_loaded_by_the_first_sample_only() -> None:
    code = "import sys; from fastadv_tui.hardware.sampler import Sampler; Sampler(); print('pynvml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_close_shuts_nvml_down_once_and_a_later_sample_opens_it_again() -> None:
    nvml = StandInNvml()
    sampler = Sampler(nvml)
    sampler.close()
    assert nvml.calls == []
    sampler.sample()
    sampler.close()
    sampler.close()
    assert nvml.calls.count("nvmlShutdown") == 1
    assert len(sampler.sample().gpus) == 2


def test_figures_of_the_host_agree_with_proc() -> None:
    with Sampler(StandInNvml()) as sampler:
        first, second = sampler.sample().host, sampler.sample().host
    assert first.cpu is None
    assert second.cpu is not None
    assert 0 <= second.cpu <= 1
    assert first.cores == os.cpu_count()
    assert first.usable == len(psutil.Process().cpu_affinity() or ())
    assert first.memory_total == 1024 * int(Path("/proc/meminfo").read_text().split()[1])
    assert 0 < first.memory_used < first.memory_total


@pytest.fixture
def parent() -> Iterator[int]:
    """The pid of an idle process whose one child is busy."""
    with subprocess.Popen([sys.executable, "-c", BUSY_CHILD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = psutil.Process(process.pid).children()
        yield process.pid
        for each in [psutil.Process(process.pid), *children]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def test_cpu_and_memory_of_children_count_for_their_parent(parent: int) -> None:
    with Sampler(StandInNvml()) as sampler:
        first = sampler.sample([parent]).usage[parent]
        assert first.cpu is None
        assert first.processes == 2
        members = [psutil.Process(parent), *psutil.Process(parent).children()]
        assert first.rss == pytest.approx(sum(each.memory_info().rss for each in members), rel=0.2)
        busy = wait_until(lambda: sampler.sample([parent]).usage[parent].cpu)
    assert busy > 0.1  # the child gets some of a core even on a busy machine; the parent alone uses none


def test_processes_that_have_ended_are_left_out_of_a_sample(parent: int) -> None:
    with Sampler(StandInNvml()) as sampler:
        assert sampler.sample([parent]).usage[parent].processes == 2
        (child,) = psutil.Process(parent).children()
        child.kill()
        wait_until(lambda: gone(child.pid))
        wait_until(lambda: gone(parent))  # the parent ends with its child, and is a zombie until it is reaped
        assert sampler.sample([parent]).usage == {}
        assert sampler.sample([2**22 + 1]).usage == {}


def test_children_that_are_started_later_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sampler(StandInNvml()) as sampler:
        before = sampler.sample([os.getpid()]).usage[os.getpid()].processes
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as born:
            assert sampler.sample([os.getpid()]).usage[os.getpid()].processes == before
            monkeypatch.setattr(sampler, "_next_scan", 0.0)
            assert sampler.sample([os.getpid()]).usage[os.getpid()].processes == before + 1
            born.kill()


def test_unknown_pids_do_not_disturb_known_ones(parent: int) -> None:
    with Sampler(StandInNvml()) as sampler:
        assert set(sampler.sample([0, -1, 2**40, parent]).usage) == {parent}


def test_samples_and_closes_of_several_threads_do_not_collide() -> None:
    sampler, failures = Sampler(StandInNvml()), []

    def work() -> None:
        try:
            for _ in range(20):
                sampler.sample([os.getpid()])
                sampler.close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_circle_of_parents_does_not_loop_for_ever() -> None:
    one, two = SimpleNamespace(pid=1), SimpleNamespace(pid=2)
    assert process_tree(one, {1: [two], 2: [one]}) == [one, two]  # type: ignore[arg-type,list-item]


def test_pids_are_merged_once_each() -> None:
    assert merged((3, 1), None, (1, 2)) == (1, 2, 3)
    assert merged(()) == ()
    assert merged(None, None) is None
