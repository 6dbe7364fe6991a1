"""The samples over time: every figure that is kept was sampled, and their number is bounded."""

import itertools
import math

from fastadv_tui.hardware.nvml import Gpu, MigInstance
from fastadv_tui.hardware.sample_history import HOST, MAX_POINTS, RECENT, SampleHistory
from fastadv_tui.hardware.sampler import Host, Sample


def sample(t: float, *gpus: Gpu) -> Sample:
    return Sample(t=t, host=Host(cores=2, cpu=t / 1e6, memory_used=1, memory_total=4), gpus=gpus)


def test_the_figures_of_a_gpu_are_kept_by_its_uuid() -> None:
    history = SampleHistory()
    history.add(sample(1.0, Gpu(index=0, uuid="GPU-a", utilisation=0.5, temperature=61, power=300.0)))
    history.add(sample(2.0, Gpu(index=0, uuid="GPU-a", lost=True), Gpu(index=1, memory_used=1, memory_total=2)))
    assert history.devices() == [HOST, "GPU-a", "GPU 1"]
    assert history.series("GPU-a", "temperature")[0] == [1.0, 2.0]
    assert history.series("GPU-a", "power")[1][0] == 300.0
    assert math.isnan(history.series("GPU-a", "utilisation")[1][1])
    assert history.series("GPU 1", "memory") == ([2.0], [0.5])
    assert history.series("GPU-a", "power", begin=1.5)[0] == [2.0]
    assert history.series("unknown", "power") == ([], [])


def test_a_run_on_an_instance_has_the_figures_of_the_whole_gpu() -> None:
    history = SampleHistory()
    assert history.key_of_slot("GPU-a") == "GPU-a"
    mig = (MigInstance(uuid="MIG-0"), MigInstance(uuid="MIG-1"))
    history.add(sample(1.0, Gpu(index=0, uuid="GPU-a", mig=mig, partitioned=True), Gpu(index=1, uuid="GPU-b")))
    slots = "MIG-1", "GPU-b", "GPU-gone"
    assert [history.key_of_slot(slot) for slot in slots] == ["GPU-a", "GPU-b", "GPU-gone"]


def test_of_many_samples_a_bounded_number_is_kept_evenly_spread() -> None:
    history = SampleHistory()
    for t in range(5 * MAX_POINTS):
        history.add(sample(float(t)))
    times, figures = history.series(HOST, "utilisation")
    assert MAX_POINTS / 2 <= len(times) <= MAX_POINTS
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {8.0}
    assert figures == [t / 1e6 for t in times]
    assert times[-1] >= 5 * MAX_POINTS - 8
    assert [load.t for load in history.recent(HOST)] == [
        float(t) for t in range(5 * MAX_POINTS - RECENT, 5 * MAX_POINTS)
    ]
