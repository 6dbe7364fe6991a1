"""Checks of the machine as fastadv sees it: which GPU a number means, runs side by side, telemetry, and precision."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest import mock

import torch

from engine.config.sections import OptimConfig
from engine.runtime import precision
from fastadv_tui.hardware import gpus
from fastadv_tui.hardware.nvml import Gpu
from fastadv_tui.hardware.sampler import Sampler
from fastadv_tui.supervise import slots
from tests.gpu.checks_runs import FEW
from tests.gpu.networks import device_of, digits, learner_for, minibatches, network
from tests.gpu.registry import Findings, Machine, check
from tests.gpu.runs import Home, end_of, environment, home, wait_for_step
from tests.support.nvml import StandInNvml
from tests.support.runs import engine_pid

SEEN = "import torch; print(torch.cuda.device_count(), torch.cuda.get_device_properties(0).uuid, torch.ones(1).cuda())"
MOST_GPUS = 4  # that check 1 starts a process for
LOAD_SECONDS = 5.0
TURING, AMPERE = (7, 5), (8, 0)


@check(
    1, "the right GPU", seconds=15, cpu_seconds=3, on_cpu="doctor, and a stand-in for NVML with lost and divided GPUs"
)
def right_gpu(machine: Machine, findings: Findings) -> None:
    _with_stand_in(findings)
    with home(machine) as place:
        done = place.fastadv("doctor", "--json")
    findings.equal("exit code of doctor", done.returncode, 0)
    report = json.loads(done.stdout)
    findings.equal("why no run starts, by doctor", report["refused"] or "nothing", "nothing")
    findings.equal("trains on", report["device"], machine.setting)
    if machine.gpu:
        told = re.search(r"for CUDA (\d+)", report["driver"])
        newest, own = int(told[1]) if told else 0, int(report["cuda"].partition(".")[0])
        findings.at_most("major version of torch's CUDA, of the driver's", own, newest)
        for device in [found for found in gpus.visible(gpus.read().devices) if not found.problem][:MOST_GPUS]:
            _compare_uuid(machine, findings, device)


def _with_stand_in(findings: Findings) -> None:
    lost = StandInNvml(2)
    lost.broken.add((None, 0))
    divided = StandInNvml(2, mig={0: 2})
    cases: dict[str, tuple[StandInNvml, str, dict[str, str], tuple[str, ...]]] = {
        "two GPUs, auto": (StandInNvml(2), "auto", {}, ("GPU-0", "GPU-1")),
        "two GPUs, cuda:1": (StandInNvml(2), "cuda:1", {}, ("GPU-1",)),
        "first GPU lost, auto": (lost, "auto", {}, ("GPU-1",)),
        "first GPU lost, cuda:1": (lost, "cuda:1", {}, ("GPU-1",)),
        "first GPU divided, auto": (divided, "auto", {}, ("MIG-0-0", "MIG-0-1", "GPU-1")),
        "first GPU divided, 0:1": (divided, "auto", {gpus.VISIBLE: "0:1"}, ("MIG-0-1",)),
    }
    for name, (nvml, wanted, variables, devices) in cases.items():
        with _shown(nvml, variables):
            findings.equal(name, slots.devices_for(wanted), devices)


@contextmanager
def _shown(nvml: StandInNvml, variables: Mapping[str, str]) -> Iterator[None]:
    """Inside the block, this process sees the GPUs of a stand-in."""
    kept = {key: value for key, value in os.environ.items() if key != gpus.VISIBLE}
    with mock.patch.dict(sys.modules, {"pynvml": nvml}), mock.patch.dict(os.environ, {**kept, **variables}, clear=True):
        yield


def _compare_uuid(machine: Machine, findings: Findings, device: gpus.Device) -> None:
    """Whether a process with the environment of a device's slot computes on this device and sees no other one."""
    own = environment(machine, **slots.environment(device.uuid))
    done = subprocess.run([sys.executable, "-P", "-c", SEEN], env=own, capture_output=True, text=True, timeout=120)
    if done.returncode:
        findings.holds(f"GPU {device.number} computes", False, (done.stderr.strip().splitlines() or ["no words"])[-1])
        return
    count, uuid, *_ = done.stdout.split()
    findings.equal(f"GPUs that a run on GPU {device.number} sees", int(count), 1)
    if not device.parent:  # what torch calls an instance depends on its version
        findings.equal(f"UUID of GPU {device.number} by torch", f"GPU-{uuid.removeprefix('GPU-')}", device.uuid)


@check(
    20,
    "two runs and an evaluation on one GPU",
    seconds=35,
    cpu_seconds=0,
    on_cpu="needs a GPU: runs share it, and NVML lists its processes",
    needs_gpu=True,
)
def side_by_side(machine: Machine, findings: Findings) -> None:
    with home(machine) as place:
        trained = place.begin("digits", "--epochs", "1", *FEW)
        findings.equal("exit code of the first run", end_of(trained).code, 0)
        endless = ("digits", "--epochs", "100000", *FEW, "--slots", "2")
        both = [place.begin(*endless, "--seed", seed) for seed in ("1", "2")]
        for rundir in both:
            wait_for_step(rundir, 3)
        engines = {engine_pid(rundir) for rundir in both}
        known = set(_gpu().pids or ())
        words = ("eval", trained.id, "--attack", "pgd-2", "--limit", "60", "--device", machine.setting)
        findings.equal("exit code of `fastadv eval` meanwhile", place.fastadv(*words).returncode, 0)
        findings.equal("exit code of `fastadv runs` meanwhile", place.fastadv("runs").returncode, 0)
        _look_for_contexts(place, findings, known, engines)


def _look_for_contexts(place: Home, findings: Findings, known: set[int], engines: set[int]) -> None:
    """Whether `fastadv doctor` takes memory of a GPU that a run may hold alone."""
    if not engines & known:  # in a container, NVML may list other numbers, or none
        findings.info("processes on the GPU", "NVML does not list those of this container")
        known = set()
    before = _gpu().memory_used or 0
    most, new = 0, set[int]()
    with place.popen("doctor", "--json") as process:
        while process.poll() is None:
            now = _gpu()
            new |= set(now.pids or ()) - known
            most = max(most, (now.memory_used or 0) - before)
            time.sleep(0.02)
        process.communicate()
    findings.equal("exit code of `fastadv doctor` meanwhile", process.returncode, 0)
    findings.slow_above("memory that doctor takes", most / 1e6, 100, " MB")
    findings.info("processes that come meanwhile", ", ".join(map(str, sorted(new))) or "none")


def _gpu() -> Gpu:
    """The first visible GPU as telemetry has it now."""
    with Sampler() as sampler:
        return _first_visible(sampler)


def _first_visible(sampler: Sampler) -> Gpu:
    seen = sampler.sample().gpus
    uuid = gpus.visible(gpus.listed(seen))[0].uuid
    return next(gpu for gpu in seen if uuid in gpu.slots)


@check(22, "telemetry", seconds=7, cpu_seconds=0.5, on_cpu="a stand-in for NVML, and the real load of this process")
def telemetry(machine: Machine, findings: Findings) -> None:
    with Sampler(None if machine.gpu else StandInNvml(1)) as sampler:
        sampler.sample([os.getpid()])
        if machine.gpu:
            _under_load(sampler, findings)
        else:
            _compare_with_stand_in(sampler, findings)
        usage = sampler.sample([os.getpid()]).usage[os.getpid()]
        findings.holds("the load of this process is seen", bool(usage.cpu), f"{usage.cpu or 0:.2f} cores")
        findings.at_least("memory of this process", usage.rss / 1e6, 100, " MB")


def _under_load(sampler: Sampler, findings: Findings) -> None:
    """Matrix products for LOAD_SECONDS beside a tensor of 2 GB or a quarter of the free memory."""
    a = torch.ones(4096, 4096, device="cuda", dtype=torch.float16)
    torch.mm(a, a)  # makes its buffers
    torch.cuda.synchronize()
    before = _first_visible(sampler)
    size = min(2 * 10**9, torch.cuda.mem_get_info()[0] // 4)
    held = torch.empty(size, dtype=torch.uint8, device="cuda")
    samples, begun = [], time.monotonic()
    while time.monotonic() - begun < LOAD_SECONDS:
        for _ in range(200):
            torch.mm(a, a)
        torch.cuda.synchronize()
        samples.append(_first_visible(sampler))
    most = max(sample.utilisation or 0.0 for sample in samples)
    if before.partitioned:
        findings.info("utilisation", "NVML does not tell that of an instance")
    else:
        findings.at_least("utilisation", most, 0.5)
        grown = (samples[-1].memory_used or 0) - (before.memory_used or 0)
        findings.at_least("memory seen of a large tensor", grown / len(held), 0.9)
        findings.at_most("memory seen of a large tensor", grown / len(held), 1.1)
    power = samples[-1].power
    findings.info("power", "not told" if power is None else f"{power:.0f} of {samples[-1].power_limit} W")
    pids = samples[-1].pids or ()
    findings.info("this process on the GPU", "listed" if os.getpid() in pids else "not listed, as in containers")


def _compare_with_stand_in(sampler: Sampler, findings: Findings) -> None:
    (gpu,) = sampler.sample().gpus
    found = (gpu.utilisation, gpu.power, gpu.power_limit, gpu.memory_used)
    findings.equal("utilisation, power, its limit, memory", found, (0.97, 412.5, 700.0, 10))
    findings.equal("processes", gpu.pids, (100,))
    begun = time.process_time()
    while time.process_time() - begun < 0.2:  # seconds of load
        pass


@check(23, "precision that the GPU has", seconds=2, cpu_seconds=0.5, on_cpu="GPUs are stood in for by their capability")
def native(machine: Machine, findings: Findings) -> None:
    gpu = torch.device("cuda:0")
    for capability, wanted, told in ((TURING, "fp16", True), (AMPERE, "bf16", False)):
        with mock.patch.object(torch.cuda, "get_device_capability", lambda device=None, found=capability: found):
            findings.equal(f"auto on {capability}", precision.choose("auto", gpu)[0], wanted)
            findings.equal(f"bf16 on {capability} is told", bool(precision.emulated("precision", "bf16", gpu)), told)
    chosen = precision.choose("auto", device_of(machine))[0]
    if machine.gpu:
        capability = torch.cuda.get_device_capability(device_of(machine))
        findings.equal(f"auto on this GPU {capability}", chosen, "bf16" if capability >= AMPERE else "fp16")
    learner = learner_for(machine, network(4, depth=1), OptimConfig(), chosen)
    seen: set[torch.dtype] = set()
    with torch.no_grad(), mock.patch.object(torch.nn.Linear, "forward", _noting(seen)):
        learner.logits(next(minibatches(digits(learner.device)[0])).x)
    findings.equal(f"computes in, {chosen}", sorted(map(str, seen)), [str(precision.DTYPES[chosen] or torch.float32)])


def _noting(seen: set[torch.dtype]) -> object:
    """A linear layer's forward pass that notes the type of its result."""
    forward = torch.nn.Linear.forward

    def noting(layer: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
        found = forward(layer, x)
        seen.add(found.dtype)
        return found

    return noting
