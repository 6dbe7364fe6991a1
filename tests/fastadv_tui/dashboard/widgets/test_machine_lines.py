"""The lines of a machine: everything in its place, nothing wider than the panel, trouble marked."""

import pytest
from msgspec.structs import replace

from fastadv_tui.dashboard.colours import ANSI, DARK
from fastadv_tui.dashboard.widgets.machine_lines import (
    STUCK_SAMPLES,
    bar,
    gpu_lines,
    history,
    host_lines,
    memory,
    runs_on,
    summary,
    title,
    usage_line,
)
from fastadv_tui.dashboard.widgets.welcome import devices
from fastadv_tui.hardware.nvml import Gpu, MigInstance
from fastadv_tui.hardware.process_usage import Usage
from fastadv_tui.hardware.sample_history import Load
from fastadv_tui.hardware.sampler import Host, Sample

GB = 10**9
HOST = Host(cores=32, cpu=0.12, memory_used=30 * GB, memory_total=256 * GB)


def gpu(**figures: object) -> Gpu:
    full = {"index": 0, "name": "NVIDIA H100 80GB HBM3", "uuid": "GPU-a", "utilisation": 0.93, "temperature": 61}
    full |= {"memory_used": 61 * GB, "memory_total": 80 * GB, "power": 640.0, "power_limit": 700.0, "pids": (7,)}
    return Gpu(**(full | figures))  # type: ignore[arg-type]


def lines(
    device: Gpu, *runs: str, width: int = 40, single: bool = False, loads: list[float] | None = None
) -> list[str]:
    recent = [Load(float(n), share) for n, share in enumerate(loads or [0.5])]
    return [line.plain for line in gpu_lines(device, recent, runs, width, DARK, single)]


def test_a_long_name_leaves_room_for_what_the_run_uses() -> None:
    usage = Usage(cpu=0.3, rss=3 * GB, processes=1)
    line = usage_line("digits-fgsm-eps51", usage, 30).plain
    assert line.endswith(": 0.3 cores, 3.0 GB")
    assert len(line) == 30


def test_two_lines_have_work_memory_temperature_power_of_its_limit_and_the_run() -> None:
    first, second = lines(gpu(), "nfgsm-w64", loads=(0.0, 0.5, 1.0))
    assert first == "0  ━━━━━━━━━━╌  93% ━━━━━━━━╌╌╌ 61/80 GB"
    assert second == "   ▁▅█      61° 640/700 W nfgsm-w64"


@pytest.mark.parametrize("width", range(20, 45))
@pytest.mark.parametrize("single", [True, False])
def test_no_line_is_wider_than_the_panel(width: int, single: bool) -> None:
    mig = (MigInstance(uuid="MIG-0-1", memory_used=GB, memory_total=20 * GB),)
    for device in (gpu(), gpu(index=15, temperature=101, utilisation=1.0, mig=mig), gpu(lost=True)):
        assert max(map(len, lines(device, "a run with a long name", width=width, single=single))) <= width


def test_the_runs_on_the_instances_of_a_gpu_are_runs_on_the_gpu() -> None:
    mig = (MigInstance(uuid="MIG-0"), MigInstance(uuid=None), MigInstance(uuid="MIG-1"))
    runs = {"MIG-1": ["b", "c"], "MIG-0": ["a"], "GPU-b": ["d"], "cpu": ["e"]}
    assert runs_on(gpu(mig=mig, partitioned=True), runs) == ["a", "b", "c"]
    assert runs_on(gpu(uuid="GPU-b"), runs) == ["d"]
    assert runs_on(gpu(uuid=None), runs) == []


def test_one_line_keeps_the_run() -> None:
    assert lines(gpu(), "fgsm", width=30, single=True) == ["0  ━━━━  93% 61/80G 61° fgsm"]


def test_a_gpu_that_reports_little_shows_what_it_reports() -> None:
    assert lines(Gpu(index=3, utilisation=None, temperature=50), width=30)[0].strip() == "3"
    assert "50°" in lines(Gpu(index=3, temperature=50), width=30)[1]


@pytest.mark.parametrize(
    ("device", "runs", "loads", "said"),
    [
        (gpu(temperature=88), (), (0.5,), "hot"),
        (gpu(lost=True), (), (0.5,), "lost"),
        (gpu(utilisation=0.0), ("fgsm",), (0.0,) * STUCK_SAMPLES, "stuck"),
    ],
    ids=["hot", "lost", "stuck"],
)
def test_trouble_is_marked_with_a_sign_and_a_word(
    device: Gpu, runs: tuple[str, ...], loads: list[float], said: str
) -> None:
    shown = "\n".join(lines(device, *runs, loads=loads))
    assert shown.startswith("0!")
    assert said in shown


def test_an_idle_gpu_is_free_and_not_stuck() -> None:
    first, second = lines(gpu(utilisation=0.0, pids=()), loads=(0.0,) * STUCK_SAMPLES)
    assert first.startswith("0  ")
    assert second.endswith("free")
    assert "stuck" not in "\n".join(lines(gpu(utilisation=0.0), "fgsm", loads=(0.0,) * (STUCK_SAMPLES - 1)))


def test_the_summary_of_a_machine() -> None:
    assert summary(Sample(t=0, host=HOST)) == "CPU 12% 30/256 GB"
    assert summary(Sample(t=0, host=HOST, gpus=(gpu(),))) == "GPU 93% 61/80 GB 61°"
    assert summary(Sample(t=0, host=HOST, gpus=(gpu(), gpu(utilisation=0.53, temperature=80)))) == "2 GPUs 73% 80°"
    assert summary(Sample(t=0, host=HOST, gpus=(gpu(), gpu()), no_gpus="")).startswith("2 GPUs")


def test_the_title_names_each_kind_once() -> None:
    assert title(Sample(t=0, host=HOST, gpus=(gpu(), gpu(index=1)))) == "2 × H100 80GB HBM3"
    assert title(Sample(t=0, host=HOST, gpus=(gpu(), gpu(index=1, name="NVIDIA A100")))) == "H100 80GB HBM3, A100"
    assert title(Sample(t=0, host=HOST)) == ""


def test_a_bar_a_history_and_memory() -> None:
    assert (bar(0.0, 4), bar(0.5, 4), bar(1.0, 4), bar(2.0, 4), bar(0.5, 0)) == ("╌╌╌╌", "━━╌╌", "━━━━", "━━━━", "")
    assert history([Load(0.0, 1.0), Load(1.0), Load(2.0, 0.0)], 4) == "█ ▁ "
    assert history([Load(0.0, 1.0)] * 9, 4) == "████"
    assert (memory(None, 80), memory(1, None), memory(15 * GB // 10, 8 * GB)) == ("", "", "1.5/8.0 GB")


def test_the_host_says_cores_and_memory() -> None:
    assert [line.plain for line in host_lines(HOST, (), 40, single=True)] == ["CPU 12% of 32 cores 30/256 GB"]
    assert host_lines(HOST, [Load(0.0, 0.5)], 40, single=False)[0].plain == "CPU  12% of 32 cores ▅"


def test_in_a_terminal_of_sixteen_colours_trouble_is_bold_red() -> None:
    line = gpu_lines(gpu(temperature=90), [], [], 40, ANSI)[0]
    assert any("bold red" in str(span.style) for span in line.spans)


@pytest.mark.parametrize(("usable", "words"), [(None, "32 cores"), (32, "32 cores"), (1, "1 of 32 cores")])
def test_the_card_of_an_empty_home_says_how_many_cores_runs_may_use(usable: int | None, words: str) -> None:
    sample = Sample(t=0.0, host=replace(HOST, usable=usable))
    assert devices(sample).startswith(f"CPU with {words}, ")
