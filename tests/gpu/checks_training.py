"""Checks of training steps: every method, optimizer and precision, overflows, host waits, and checkpoints."""

import itertools
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine import load_model
from engine.attacks.threat import Threat
from engine.config.datasets import facts_of
from engine.config.methods import methods
from engine.config.presets import build
from engine.config.run import RunConfig
from engine.protocol.rundir import RunDir
from engine.runtime.host_copy import copy_to_host
from engine.runtime.rng import generator
from engine.training import checkpoint
from engine.training.learner import Learner
from engine.training.methods.step import step_of
from tests.gpu.networks import (
    device_of,
    digits,
    finite,
    learner_for,
    loss_on,
    minibatches,
    network,
    train,
)
from tests.gpu.registry import Findings, Machine, check
from tests.support.operations import Operations
from tests.support.runs import make_run

OPTIMIZERS = {"sgd": 0.02, "adam": 1e-2, "muon": 0.05}  # with learning rates that suit few steps
PRECISIONS = ("fp32", "bf16", "fp16")
EASY_EPS = 0.03  # so that every method learns in few steps
OVERFLOWING = 2.0**40  # a factor of the loss that no gradient in fp16 survives


def combinations(machine: Machine) -> list[tuple[str, str, str]]:
    """Method, optimizer and precision: FGSM with all optimizers in all precisions, each other method in all precisions.

    The optimizers take turns. Small: each other method once.
    """
    names, all_of_both = list(OPTIMIZERS), list(itertools.product(OPTIMIZERS, PRECISIONS))
    found = [("fgsm", *both) for both in all_of_both]
    for number, method in enumerate(sorted({*methods()} - {"fgsm"})):
        ways = [(names[(number + turn) % 3], precision) for turn, precision in enumerate(PRECISIONS)]
        found += [(method, *way) for way in (ways if not machine.small else [all_of_both[number % 9]])]
    return found


def config_of(method: str, optimizer: str = "sgd", **typed: Any) -> RunConfig:
    rate = {"optim.name": optimizer, "optim.lr": OPTIMIZERS[optimizer]}
    return build("digits", {"method.name": method, "eps": EASY_EPS, **rate, **typed})


def small_network(machine: Machine) -> nn.Module:
    return network(machine.size(16, 4), depth=1)


@check(
    6,
    "every method, optimizer and precision learns",
    seconds=25,
    cpu_seconds=6,
    on_cpu="the same with 20 steps of a narrow network",
)
def learning(machine: Machine, findings: Findings) -> None:
    images, steps = digits(device_of(machine))[0], machine.size(60, 20)
    worst, skipped, broken = (-math.inf, ""), 0, []
    for method, optimizer, precision in combinations(machine):
        config = config_of(method, optimizer)
        learner = learner_for(machine, small_network(machine), config.optim, precision, steps)
        before = loss_on(learner.model, images)
        train(learner, config, images, steps, machine.size(64, 32))
        name = f"{method} {optimizer} {precision}"
        worst = max(worst, (loss_on(learner.model, images) / before, name))
        skipped = max(skipped, learner.scaler.skipped_updates())
        if not learner.finite() or (precision == "fp16" and learner.scaler.get_scale() <= 1):
            broken.append(name)
    findings.at_most(f"loss after / before, worst ({worst[1]})", worst[0], 0.8)
    findings.at_most("updates that fp16 skipped, most", skipped, 8)
    findings.equal("not finite, or scale <= 1", ", ".join(broken) or "none", "none")


@check(7, "fp16 recovers from overflows", seconds=3, cpu_seconds=1.5, on_cpu="the same")
def overflow(machine: Machine, findings: Findings) -> None:
    for optimizer in OPTIMIZERS:
        config = config_of("fgsm", optimizer)
        learner = learner_for(machine, small_network(machine), config.optim, "fp16")
        learner.scaler.load_state_dict({**learner.scaler.state_dict(), "scale": OVERFLOWING})
        train(learner, config, digits(learner.device)[0], 30)
        findings.holds(f"weights and statistics finite, {optimizer}", learner.finite())
        findings.holds(f"optimizer state finite, {optimizer}", finite(learner.optimizer.state_dict()["state"]))
        findings.at_most(f"log2 of the scale after 30 steps, {optimizer}", math.log2(learner.scaler.get_scale()), 20)
        findings.at_least(f"updates that were not skipped, {optimizer}", 30 - learner.scaler.skipped_updates(), 5)


@check(
    8,
    "no host wait in a training step",
    seconds=10,
    cpu_seconds=6,
    on_cpu="a dispatch mode counts the operations that a GPU's host would wait for",
)
def host_waits(machine: Machine, findings: Findings) -> None:
    waiting = []
    for method, precision in itertools.product(methods(), ("bf16",) if machine.small else ("bf16", "fp32")):
        for optimizer in OPTIMIZERS if not machine.small else ("muon",):
            config = config_of(method, optimizer, **{"optim.average": 0.9, "optim.clip_norm": 1.0})
            learner = learner_for(machine, small_network(machine), config.optim, precision)
            if cause := _wait_in(learner, config, machine.size(20, 2), machine):
                waiting.append(f"{method} {optimizer} {precision}: {cause}")
    findings.equal("steps that wait", "; ".join(waiting) or "none", "none")


def _wait_in(learner: Learner, config: RunConfig, steps: int, machine: Machine) -> str:
    """What the host waits for in some steps, in words; empty if for nothing. The first steps may wait."""
    step, threat, batches = step_of(config), Threat(config.eps, config.norm), minibatches(digits(learner.device)[0], 32)
    delta: Tensor | None = None
    for number in range(3 if machine.gpu else 0):  # buffers are made, algorithms are chosen
        delta = step(learner, next(batches).with_delta(delta), threat, generator(learner.device, number))
    ready = list(itertools.islice(batches, steps))
    waits: list[str] = []
    try:
        with _refused_waits(machine, waits):
            for number, batch in enumerate(ready):
                delta = step(learner, batch.with_delta(delta), threat, generator(learner.device, number))
    except RuntimeError as error:
        if "synchroniz" not in str(error):  # torch's word for a wait
            raise
        return str(error).partition("\n")[0]
    return ", ".join(waits)


@contextmanager
def _refused_waits(machine: Machine, waits: list[str]) -> Iterator[None]:
    """Inside the block, a host wait on a GPU raises. On a CPU, it is noted in `waits`."""
    if not machine.gpu:
        with Operations() as operations:
            yield
        waits += operations.waits
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@check(
    11,
    "checkpoints move between devices and precisions",
    seconds=5,
    cpu_seconds=1.5,
    on_cpu="bf16 to fp32 to fp16 on the CPU",
)
def portable(machine: Machine, findings: Findings) -> None:
    cpu = Machine("cpu", machine.small)
    trip = [(machine, "bf16"), (cpu, "fp32"), (machine, "fp16"), (machine, "bf16")]
    config = config_of("fgsm", "adam", **{"model.name": "preact-resnet18", "model.width": 8, "model.depth": 1})
    with tempfile.TemporaryDirectory() as folder:
        rundir = make_run(Path(folder, "run"), chosen=config)
        losses = [_leg(place, precision, config, rundir, findings) for place, precision in trip]
        images = digits(torch.device("cpu"))[1]
        x = images[torch.arange(64)][0]
        with torch.no_grad():
            found, wanted = load_model(rundir.path)(x), _loaded(cpu, "fp32", config, rundir).model.eval()(x)
    findings.at_most("deviation of load_model's logits", float((found - wanted).abs().max()), 1e-4)
    findings.at_most("loss at the end / at the start", losses[-1] / losses[0], 0.8)


def _leg(place: Machine, precision: str, config: RunConfig, rundir: RunDir, findings: Findings) -> float:
    """Load the last checkpoint, train five more steps beside a copy of it, and save. Returns the loss before them."""
    learner = _loaded(place, precision, config, rundir)
    images, name = digits(learner.device)[0], f"{precision} on {learner.device}"
    loss = loss_on(learner.model, images)
    wanted = {key: value.cpu().clone() for key, value in learner.model.state_dict().items()}
    copy = copy_to_host(learner.state_dict(), learner.device)
    train(learner, config, images, 5)
    copy.wait()
    changed = sum(not torch.equal(copy.state["model"][key], value) for key, value in wanted.items())
    findings.at_most(f"tensors of a copy that the steps after it changed, {name}", changed, 0)
    group = learner.optimizer.param_groups[0]
    findings.equal(f"fused kernels, {name}", bool(group["fused"]), precision != "fp16")
    state = [value for values in learner.optimizer.state.values() for value in values.values()]
    misplaced = sum(value.device.type != learner.device.type for value in state if value.ndim)
    findings.at_most(f"moments on another device, {name}", misplaced, 0)
    findings.holds(f"finite, {name}", learner.finite())
    facts = checkpoint.data_state(facts_of("digits"), "", "")
    checkpoint.save(rundir.last, config, {**facts, **learner.state_dict()})
    return loss


def _loaded(place: Machine, precision: str, config: RunConfig, rundir: RunDir) -> Learner:
    model = network(config.model.width, depth=config.model.depth)
    learner = learner_for(place, model, config.optim, precision)
    if rundir.last.exists():
        learner.load_state_dict(checkpoint.load(rundir.last))
    return learner
