"""The words of a plan."""

import pytest

from fastadv_tui.hardware.nvml import Gpu, MigInstance
from fastadv_tui.launch.device_choices import device_choices
from fastadv_tui.launch.form import plan_form
from fastadv_tui.launch.line import Place
from fastadv_tui.launch.plan_text import Estimates, plan_details, plan_lines

NOW = 1_795_000_000.0
pytestmark = pytest.mark.usefixtures("home")


def lines(found: Estimates, **texts: str) -> dict[str, str]:
    return dict(plan_lines(plan_form({"dataset": "digits", **texts}), found, NOW))


def test_a_sweep_is_summed_up() -> None:
    place = Place(before=12, paused=False, start=NOW + 240, end=NOW + 600)
    found = Estimates([4_200_000_000_000_000], False, [96.0], [2.1e9], 80_000_000_000, place)
    assert {key: text for key, text in lines(found, seed="0-2").items() if key != "end"} == {
        "runs": "3 runs, one for each seed",
        "work": "4.2 PFLOP each, 12.6 PFLOP in all of training",
        "time": "about 4 min 48 s in all, as past runs here",
        "memory": "about 2.1 GB of 80.0 GB main memory",
        "start": "in about 4 min 00 s, 12 waiting runs before it",
    }


def test_the_sizes_of_each_method_are_named() -> None:
    details = plan_details(plan_form({"dataset": "digits", "method.name": "fgsm,pgd"}))
    assert [line.partition(" · evaluation")[0] for line in details[:2]] == [
        "fgsm: eps 51/255 = 0.2 · alpha 63.75/255 = 0.25",
        "pgd: eps 51/255 = 0.2 · alpha 12.75/255 = 0.05",
    ]
    many = plan_details(plan_form({"dataset": "digits", "eps": "1,2,3,4,5,6"}))
    assert len([line for line in many if line.startswith("eps ")]) == 4
    assert "... and 2 more" in many


def test_nothing_is_invented() -> None:
    found = lines(Estimates([None], False, [None], [None]))
    assert found["runs"] == "1 run"
    assert found["work"] == "unknown"
    assert found["time"] == found["memory"] == "unknown, no similar run yet"
    assert found["end"] == "unknown"
    assert lines(Estimates([None], uncountable="net.py has no Net"))["work"] == "unknown: net.py has no Net"
    assert lines(Estimates([1, None], False, [1.0, None]), epochs="1,2")["time"].startswith("unknown")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Place(0, False, NOW, None), "now"),
        (Place(1, False, None, None), "unknown, 1 waiting run before it"),
        (Place(0, False, None, None), "unknown, after the run that trains now"),
        (Place(0, False, NOW + 600, None), "in about 10 min 00 s, after the run that trains now"),
        (
            Place(2, True, None, None),
            "the queue is paused, 2 waiting runs before it; `fastadv queue continue` lets runs start",
        ),
    ],
)
def test_the_start_follows_from_the_queue(place: Place, said: str) -> None:
    assert lines(Estimates(place=place))["start"] == said


def test_a_device_that_does_not_exist_is_named() -> None:
    problem = "device = cuda:9 is not there: this machine has no usable GPU; use --device auto or cpu"
    assert lines(Estimates(problem=problem), device="cuda:9")["start"] == problem


def test_devices_are_offered_with_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus = [Gpu(index=0, uuid="GPU-a", name="NVIDIA H100 80GB HBM3"), Gpu(index=1, uuid="GPU-b", name="NVIDIA L4")]
    assert device_choices(gpus, {"GPU-a": ["mine"]}) == {
        "auto": "1 of 2 GPUs free",
        "cpu": "free",
        "cuda:0": "H100, mine trains",
        "cuda:1": "L4, free",
    }
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert device_choices(gpus, {})["cuda:0"] == "L4, free"
    assert device_choices([], {"cpu": ["a", "b"]}) == {"auto": "the CPU, 2 runs train", "cpu": "2 runs train"}


def test_instances_are_offered_in_place_of_their_gpu_and_a_lost_gpu_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    mig = (MigInstance(uuid="MIG-a"), MigInstance(uuid="MIG-b"))
    gpus = [Gpu(index=0, lost=True), Gpu(index=1, uuid="GPU-b", name="NVIDIA H100 80GB", mig=mig, partitioned=True)]
    assert device_choices(gpus, {"MIG-b": ["mine"]}) == {
        "auto": "1 of 2 GPUs free",
        "cpu": "free",
        "cuda:0": "GPU 0 is lost",
        "cuda:1": "H100 MIG 1:0, free",
        "cuda:2": "H100 MIG 1:1, mine trains",
    }
