"""Checks of speed: images a second and launches of a training step, and what torch.compile makes of it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn

from engine.attacks.threat import Threat
from engine.config.presets import build
from engine.config.run import RunConfig
from engine.protocol import events
from engine.runtime.fp32 import full_fp32
from engine.runtime.rng import generator
from engine.training.learner import Learner
from engine.training.methods.step import step_of
from tests.benchmarks.timing import seconds
from tests.gpu.networks import EPS, colour_images, device_of, digits, learner_for, loss_on, minibatches, network, train
from tests.gpu.registry import Findings, Machine, check
from tests.gpu.runs import engine_run, of_kind, start_engine
from tests.support.operations import Operations
from tests.support.waiting import wait_until

RECIPES: dict[str, tuple[str | None, dict[str, Any]]] = {
    "fgsm": (None, {"method.name": "fgsm"}),
    "pgd-7": (None, {"method.name": "pgd", "method.steps": 7}),
    "speed": ("speed", {}),
}
MOST_OPERATIONS = {"fgsm": 461, "speed": 750}  # of a step
MOST_OF_MUON = 250  # operations of its step
MOST_LAUNCHES = {"fgsm": 700, "speed": 800}
IMAGES_A_SECOND = 30_000.0  # of FGSM on an H100; 37,000 are 15 epochs in 20 s
SIZES = (64, 32)  # of the compiled minibatches
GRAPHS = 4  # of a compiled network: two sizes, with and without gradients of the weights


@check(
    16,
    "speed of an eager step",
    seconds=15,
    cpu_seconds=2.5,
    on_cpu="a dispatch mode counts the operations, each of which is about one launch",
)
def speed(machine: Machine, findings: Findings) -> None:
    for name, (preset, typed) in RECIPES.items():
        if machine.small and name not in MOST_OPERATIONS:
            continue
        config = build("cifar10", typed | ({"model.width": 4} if machine.small else {}), preset)
        one_step, learner = _stepper(machine, config)
        for _ in range(machine.size(10, 2)):
            one_step()
        _count_operations(findings, name, one_step, learner)
        if machine.gpu:
            _time(findings, name, one_step, learner.device, config.batch_size)


def _stepper(machine: Machine, config: RunConfig) -> tuple[Callable[[], None], Learner]:
    """A function that makes one step of a run on made-up images, and the learner that it trains."""
    torch.manual_seed(0)
    model = network(config.model.width, "cifar10", activation=config.model.activation)
    learner = learner_for(machine, model, config.optim, "bf16", 1000)
    size = machine.size(config.batch_size, 10)
    batches, step = minibatches(colour_images(machine, machine.size(2000, 20)), size), step_of(config)

    def one_step() -> None:
        step(learner, next(batches), Threat(config.eps), generator(learner.device, learner.step))

    return one_step, learner


def _count_operations(findings: Findings, name: str, one_step: Callable[[], None], learner: Learner) -> None:
    with Operations() as operations:
        one_step()
    drawn = 10  # at most, for the minibatch and its noise, which the limits leave out
    if name in MOST_OPERATIONS:
        findings.at_most(f"operations, {name}", operations.total, MOST_OPERATIONS[name] + drawn)
    if name == "speed":
        for p in learner.model.parameters():
            p.grad = torch.zeros_like(p)
        with Operations() as of_muon:
            learner.optimizer.step()
        findings.at_most("operations of Muon", of_muon.total, MOST_OF_MUON)


def _time(findings: Findings, name: str, one_step: Callable[[], None], device: torch.device, images: int) -> None:
    steps = 50

    def many() -> None:
        for _ in range(steps):
            one_step()

    each = seconds(many, device) / steps
    launches, busy = _profiled(one_step)
    if name == "fgsm":
        findings.slow_below(f"images a second, {name}", images / each, IMAGES_A_SECOND)
    else:
        findings.info(f"images a second, {name}", images / each)
    if name in MOST_LAUNCHES:
        findings.slow_above(f"launches, {name}", launches, MOST_LAUNCHES[name])
    else:
        findings.info(f"launches, {name}", launches)
    findings.info(f"share of the time in which the GPU is busy, {name}", busy / each)


def _profiled(one_step: Callable[[], None]) -> tuple[float, float]:
    """Kernel launches of a step, and the seconds that its kernels take."""
    from torch.profiler import ProfilerActivity, profile

    steps = 3
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        for _ in range(steps):
            one_step()
        torch.cuda.synchronize()
    found = profiler.key_averages()
    launches = sum(event.count for event in found if "LaunchKernel" in event.key)
    times = [
        getattr(event, "self_device_time_total", 0.0)
        for event in found
        if str(getattr(event, "device_type", "")).endswith("CUDA")
    ]
    return launches / steps, sum(times) / 1e6 / steps


@check(
    15,
    "torch.compile, and a machine without a compiler",
    seconds=60,
    cpu_seconds=9,
    on_cpu="torch's tracer without its compilers, and a run without g++",
    alone=True,
)
def compiling(machine: Machine, findings: Findings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with mock.patch.dict(os.environ, {"TORCHINDUCTOR_CACHE_DIR": folder}), _tracer_only(machine):
            _compare_compiled(machine, findings)
        _without_compiler(machine, findings, Path(folder))


@contextmanager
def _tracer_only(machine: Machine) -> Iterator[None]:
    """On a CPU, leave out the compiler, which takes a minute. What is traced stays the same."""

    def traced(model: nn.Module, or_fail: bool) -> nn.Module:
        made: nn.Module = torch.compile(model, backend="eager", dynamic=False)  # type: ignore[assignment]
        return made

    if machine.gpu:
        yield
        return
    with mock.patch("engine.training.learner.compiled", traced):
        yield


def _compare_compiled(machine: Machine, findings: Findings) -> None:
    from torch._dynamo.utils import counters

    config = build("digits", {"eps": EPS, "optim.lr": 0.02})
    eager, fast = (
        learner_for(machine, network(machine.size(16, 4), depth=1), config.optim, "fp32", compile_for=sizes, **fails)
        for sizes, fails in (((), {}), (SIZES, {"compile_or_fail": True}))
    )
    images, apart = digits(device_of(machine))[0], 0.0
    for _ in range(machine.size(10, 2)):
        for size in SIZES:
            for learner in (eager, fast):
                with full_fp32():  # TF32 would hide a difference
                    train(learner, config, images, 1, size)
            one, other = loss_on(eager.model, images), loss_on(fast.model, images)
            apart = max(apart, abs(one - other) / one)
    findings.at_most("relative difference of the loss, compiled and eager", apart, 1e-2)
    findings.at_most("compiled graphs", int(counters["stats"]["unique_graphs"]), GRAPHS)
    findings.at_least("compiled graphs", int(counters["stats"]["unique_graphs"]), 2)


def _without_compiler(machine: Machine, findings: Findings, folder: Path) -> None:
    """A run so long that compiling would pay, where no compiler is found."""
    model = {"model__name": "preact-resnet18", "model__width": 64} if machine.gpu else {"model__width": 16}
    rundir = engine_run(folder / "run", machine, epochs=100_000, **model)
    (folder / "empty").mkdir()
    with start_engine(rundir, machine, PATH=str(folder / "empty"), CC="", CXX="") as process:
        try:
            wait_until(lambda: of_kind(rundir, events.Step) or process.poll() is not None, 60)
        finally:
            process.kill()
    notes = [note.message for note in of_kind(rundir, events.Note)]
    findings.equal("runs compiled", [started.compiled for started in of_kind(rundir, events.Started)], [False])
    said = [note for note in notes if note.startswith("not compiled: a C") and note.endswith("is missing")]
    findings.holds("says why", len(said) == 1, "; ".join(said) or f"notes: {notes}")
