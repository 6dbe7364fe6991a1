"""Checks of whole runs: the captured step, resuming, the queue, a full GPU, and a killed engine."""

import os
import tempfile
import time
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import torch

import engine.__main__ as engine_main
from engine.protocol import events
from engine.protocol.rundir import RunDir
from engine.runtime import precision
from engine.training import checkpoint
from fastadv_tui.hardware import gpus
from fastadv_tui.hardware.nvml import GpuReader
from fastadv_tui.supervise import records
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.records import ProcessRecord
from fastadv_tui.supervise.slots import free_slot
from tests.gpu.networks import CIFAR, device_of, write_made_up_cifar
from tests.gpu.registry import Findings, Machine, Skip, check
from tests.gpu.runs import (
    Home,
    end_of,
    engine_run,
    home,
    of_kind,
    stop_in_the_middle,
    train_to_end,
    wait_for_step,
    why_failed,
)
from tests.support.folders import tree
from tests.support.runs import engine_pid, gone
from tests.support.training import StopAfter
from tests.support.waiting import Deadline, wait_until

KEPT = 100  # MB of a GPU that may be missing after a run, as other programs come and go
FEW = ("--set", "model.width=4", "--set", "watch.images=60", "--eval", "none")


@check(
    9,
    "captured step",
    seconds=30,
    cpu_seconds=0.1,
    on_cpu="a CPU has no CUDA graphs; tests/engine/training has the same tests with a stand-in",
)
def captured(machine: Machine, findings: Findings) -> None:
    """A captured step against an eager one, and a run with captured steps that was stopped and resumed."""
    if find_spec("engine.training.captured_step") is None:
        raise Skip("no captured step in this version")
    if not machine.gpu:
        raise Skip("a CPU has no CUDA graphs; tests/engine/training has the same tests with a stand-in")
    chosen = precision.choose("auto", device_of(machine))[0]
    typed: dict[str, Any] = {"epochs": 30, "optim__average": 0.9, "deterministic": "on"}
    typed["precision"] = "fp32" if chosen == "fp16" else chosen  # no graph holds a step in fp16
    with tempfile.TemporaryDirectory() as folder:
        eager, whole, cut = (
            engine_run(Path(folder, name), machine, capture=capture, **typed)
            for name, capture in (("eager", "off"), ("whole", "on"), ("cut", "on"))
        )
        train_to_end(eager, machine)
        train_to_end(whole, machine)
        at = _stop_and_resume(cut, machine, 80)
        findings.info("stopped at step", float(at))
        findings.at_most("largest relative difference, captured and eager", relative_difference(eager, whole), 0)
        findings.at_most("largest relative difference, resumed and not", relative_difference(whole, cut), 0)


@check(10, "stopped and resumed", seconds=35, cpu_seconds=6, on_cpu="the same, bit for bit")
def resumed(machine: Machine, findings: Findings) -> None:
    epochs, first = machine.size(30, 6), machine.size(80, 2)
    with tempfile.TemporaryDirectory() as folder:
        for deterministic in ("on", "off") if machine.gpu else ("on",):
            whole, cut = (
                engine_run(Path(folder, name + deterministic), machine, epochs=epochs, deterministic=deterministic)
                for name in ("whole", "cut")
            )
            train_to_end(whole, machine)
            at = _stop_and_resume(cut, machine, first)
            findings.info(f"stopped at step, deterministic {deterministic}", f"{at} of {23 * epochs}")
            if deterministic == "on":
                findings.at_most("largest relative difference of a weight", relative_difference(whole, cut), 0)
            else:
                apart = abs(_guarded(whole) - _guarded(cut))
                findings.at_most("difference of the guard accuracy, deterministic off", apart, 0.02)


def _stop_and_resume(rundir: RunDir, machine: Machine, first: int) -> int:
    """Stop a run from a step on. Returns the step at which it was stopped."""
    at = stop_in_the_middle(rundir, machine, first)
    train_to_end(rundir, machine)
    return at


def relative_difference(one: RunDir, other: RunDir) -> float:
    """The largest difference of a tensor of two networks, relative to the tensor's norm."""
    weights, others = (checkpoint.load(rundir.last)["model"] for rundir in (one, other))
    return max(
        float((others[name].double() - value.double()).norm() / value.double().norm().clamp_min(1e-30))
        for name, value in weights.items()
    )


def _guarded(rundir: RunDir) -> float:
    return [event.robust for event in of_kind(rundir, events.Evaluated) if event.stage == "guard"][-1]


@check(
    17,
    "runs through queue and supervisor",
    seconds=45,
    cpu_seconds=8,
    on_cpu="two runs on the digits, the second of which waits for the first",
)
def queued(machine: Machine, findings: Findings) -> None:
    with home(machine) as place:
        words = ("digits", "--epochs", "2", *FEW)
        if not machine.small:
            words = ("cifar", "--preset", "speed", "--epochs", "2", "--eval", "none", "--data-dir", str(_cifar(place)))
        first, second = place.begin(*words, "--seed", "1"), place.begin(*words, "--seed", "2")
        codes = [end_of(rundir, 180).code for rundir in (first, second)]
        findings.equal("exit codes", codes, [0, 0])
        begins = [of_kind(rundir, events.Started)[0].t for rundir in (first, second)]
        overlap = of_kind(first, events.Finished)[0].t - begins[1]
        findings.at_most("seconds in which both trained", max(overlap, 0.0), 0)
        device = of_kind(second, events.Started)[0].device
        findings.holds("on the device", device.startswith("cpu") != machine.gpu, device)
        judge = findings.at_most if machine.gpu and not machine.small else findings.slow_above
        judge("end of an epoch", _between_epochs(second), 0.3, " s")
        findings.info("images a second", max(step.images_per_second for step in of_kind(second, events.Step)))


def _cifar(place: Home) -> Path:
    """A folder with CIFAR-10 in the official layout: the real images if they are there, else made-up ones."""
    real = Path(os.environ.get("FASTADV_TEST_DATA", "/nowhere"))
    return real if (real / CIFAR).is_dir() else write_made_up_cifar(place.folder / "made-up", 12_000)


def _between_epochs(rundir: RunDir) -> float:
    """Seconds between the last step of the first epoch and the next step that are not spent on training."""
    steps = of_kind(rundir, events.Step)
    first_epoch = of_kind(rundir, events.Started)[0].steps_per_epoch
    ((last, following),) = [pair for pair in pairwise(steps) if pair[0].step == first_epoch]
    return (following.elapsed - last.elapsed) - (following.trained - last.trained)


@check(
    18,
    "a full GPU is one line, and the next run trains",
    seconds=30,
    cpu_seconds=1,
    on_cpu="a training step raises torch.OutOfMemoryError",
)
def full(machine: Machine, findings: Findings) -> None:
    if not machine.gpu:
        with tempfile.TemporaryDirectory() as folder:
            _full_by_stub(machine, findings, Path(folder))
        return
    with home(machine) as place:
        before = _gpu_memory()
        data = ("--data-dir", str(_cifar(place)), "--eval", "none", "--epochs", "1")
        huge = ("--set", "model.width=256", "--batch-size", "10000", "--precision", "fp32")
        rundir = place.begin("cifar", *data, *huge)
        ended = end_of(rundir)
        _judge_full(findings, ended.code or 0, rundir)
        findings.at_most("memory that is not given back", _kept_memory(before), KEPT, " MB")
        findings.equal("exit code of the next run", end_of(place.begin("digits", "--epochs", "1", *FEW)).code, 0)


def _full_by_stub(machine: Machine, findings: Findings, folder: Path) -> None:
    def too_large(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.20 GiB.")

    rundir = engine_run(folder / "full", machine, epochs=1)
    with (
        mock.patch.object(engine_main, "StopRequest", return_value=StopAfter()),  # signals stay those of the checks
        mock.patch("engine.training.learner.Learner.update", too_large),
    ):
        code = engine_main.train(rundir)
    _judge_full(findings, code, rundir)
    following = engine_run(folder / "next", machine, epochs=1)
    with mock.patch.object(engine_main, "StopRequest", return_value=StopAfter()):
        findings.equal("exit code of the next run", engine_main.train(following), 0)


def _judge_full(findings: Findings, code: int, rundir: RunDir) -> None:
    told = why_failed(rundir)
    findings.equal("exit code", code, 1)
    findings.holds("the line says what to do", "out of GPU memory" in told and "--set micro_batch=" in told, told)


def _kept_memory(before: int) -> float:
    """MB of the GPU's memory that are in use beyond those `before`, after at most ten seconds of patience."""
    deadline = Deadline(10)
    while (kept := (_gpu_memory() - before) / 1e6) > KEPT and not deadline.passed:
        time.sleep(0.1)
    return max(kept, 0.0)


def _gpu_memory() -> int:
    """Bytes in use on the first visible GPU, by NVML; 0 if NVML does not say."""
    reader = GpuReader()
    try:
        seen, _ = reader.read()
        uuid = next(iter(gpus.visible(gpus.listed(seen))), gpus.Device(number="")).uuid
        return next((gpu.memory_used or 0 for gpu in seen if uuid in gpu.slots), 0)
    finally:
        reader.close()


@check(
    19,
    "a killed engine leaves nothing behind",
    seconds=20,
    cpu_seconds=4,
    on_cpu="the same with one process that decodes, without NVML",
)
def killed(machine: Machine, findings: Findings) -> None:
    with home(machine) as place:
        before = _gpu_memory() if machine.gpu else 0
        pictures = tree(place.folder / "pictures", count=machine.size(64, 8))
        shape = ("--set", "phases=0-100000:0/24:8", "--epochs", "100000")
        net = ("--model", "preact-resnet18", "--set", "model.width=2", "--set", "model.depth=1")
        rundir = place.begin(f"imagefolder:{pictures}", *shape, *net, "--set", "watch.images=0", "--eval", "none")
        wait_for_step(rundir, 3)
        process = psutil.Process(engine_pid(rundir))
        workers = [child.pid for child in process.children()]
        findings.at_least("processes that decode", len(workers), 1)
        process.kill()
        begun = time.monotonic()
        findings.equal("exit code", end_of(rundir).code, -9)
        wait_until(lambda: all(map(gone, workers)), 10)
        findings.at_most("until its processes were gone", time.monotonic() - begun, 10, " s")
        if machine.gpu:
            findings.at_most("memory that is not given back", _kept_memory(before), KEPT, " MB")
        findings.holds("its slot is free", _slot_is_free(place, rundir))


def _slot_is_free(place: Home, rundir: RunDir) -> bool:
    """Whether the next run could have the slot of a run that has ended."""
    record = records.read(rundir.process, ProcessRecord)
    assert record is not None
    slot = free_slot(RunQueue(place.folder / "slots").slots, record.device, slots=1)
    if slot is not None:
        os.close(slot.handle)
    return slot is not None
