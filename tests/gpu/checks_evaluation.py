"""Checks of evaluations: the folded network, robust accuracy in each precision and batch, the cost of an attack."""

import copy
import io
import time

import torch
from torch import Tensor, nn

from engine.attacks.pgd import Pgd
from engine.attacks.probe import misclassified
from engine.attacks.threat import Threat
from engine.config.presets import build
from engine.data.memory.batches import TestImages
from engine.evaluation.evaluation import Accuracy, Evaluation
from engine.evaluation.settings import eval_batch
from engine.models.fold_batchnorm import folded
from engine.runtime.eval_mode import evaluating
from tests.gpu.networks import EPS, colour_images, device_of, digits, learner_for, network, train, trained
from tests.gpu.registry import Findings, Machine, check
from tests.support.operations import Operations

THREAT = Threat(EPS)
BF16 = torch.bfloat16
OF_EACH = 200  # images for each image that may count otherwise: 0.5 points


class CutOff(Exception):  # noqa: N818  # no error, but what ends an evaluation in the middle
    """The evaluation is to be interrupted here."""


@check(12, "folded network in bf16", seconds=3, cpu_seconds=1, on_cpu="the same")
def folding(machine: Machine, findings: Findings) -> None:
    model, (images, _) = trained(machine), digits(device_of(machine))
    x, y = images[torch.arange(machine.size(1000, 200), device=images.labels.device)]
    with evaluating(model), torch.no_grad():
        wanted = model(x)
        fast = folded(model, BF16)
        with torch.autocast(x.device.type, dtype=BF16):
            found = fast(x).float()
    findings.at_most("deviation of the logits, relative", float((found - wanted).norm() / wanted.norm()), 3e-2)
    by_rounding = misclassified(found, y) & ~misclassified(wanted, y)
    findings.at_most("images wrong by rounding alone", float(by_rounding.float().mean()), 0.01)
    findings.at_least("clean accuracy", float((~misclassified(wanted, y)).float().mean()), 0.5)


@check(
    14,
    "robust accuracy does not depend on device, precision and batch",
    seconds=25,
    cpu_seconds=4,
    on_cpu="bf16 against fp32, two batch sizes, and an evaluation that was cut and resumed",
)
def honesty(machine: Machine, findings: Findings) -> None:
    """The check of honesty: an attack that is weaker on a GPU would make every network look more robust."""
    model, (images, _) = trained(machine), digits(device_of(machine))
    count, few = machine.size(1000, 120), machine.size(200, 60)
    attack, allowed = Pgd(machine.size(10, 5), 2, EPS / 4), max(1, count // OF_EACH)
    chosen = images.first(count)
    exact = _measured(model, chosen, attack)
    findings.at_least("clean accuracy", exact.clean, 0.5)
    findings.at_most("robust / clean accuracy", exact.robust / max(exact.clean, 1e-9), 0.98)
    others = {
        "bf16 against fp32": _measured(model, chosen, attack, BF16),
        f"batch {count} against {count // 4}": _measured(model, chosen, attack, batch=count),
        "cut and resumed": _cut_and_resumed(model, chosen, attack),
    }
    for name, found in others.items():
        findings.at_most(f"images of {count} that differ in number, {name}", _difference(exact, found), allowed)
    here = _measured(model, images.first(few), attack)
    there = _measured(copy.deepcopy(model).cpu(), digits(torch.device("cpu"))[0].first(few), attack)
    findings.at_most(f"images of {few} that differ in number, from the CPU", _difference(here, there), 1)


def _measured(
    model: nn.Module, images: TestImages, attack: Pgd, dtype: torch.dtype | None = None, batch: int = 0
) -> Accuracy:
    evaluation = Evaluation(model, images, [(THREAT, attack)], 0, dtype, batch or max(len(images) // 4, 1))
    return evaluation.run()[0]


def _difference(one: Accuracy, other: Accuracy) -> int:
    return abs(round(one.robust * one.images) - round(other.robust * other.images))


def _cut_and_resumed(model: nn.Module, images: TestImages, attack: Pgd) -> Accuracy:
    """Interrupted in the middle; a new evaluation goes on with what the first one has saved."""

    def evaluation() -> Evaluation:
        return Evaluation(model, images, [(THREAT, attack)], 0, None, max(len(images) // 4, 1))

    def cut(done: int, total: int) -> None:
        if done > 0.4 * total:
            raise CutOff

    first, saved = evaluation(), io.BytesIO()
    try:
        first.run(cut)
    except CutOff:
        torch.save(first.state_dict(), saved)
    second = evaluation()
    saved.seek(0)
    second.load_state_dict(torch.load(saved, map_location=images.labels.device, weights_only=True))
    return second.run()[0]


@check(
    24,
    "cost of PGD-50-10",
    seconds=15,
    cpu_seconds=4,
    on_cpu="PGD-10-2 on the digits, counted only",
)
def cost(machine: Machine, findings: Findings) -> None:
    """The limit is for a full-size network on an H100, which is robust on half of the images."""
    if machine.small:
        model, images, threat = trained(machine), digits(device_of(machine))[1].first(60), THREAT
    else:
        model, images, threat = *_robust_network(machine), Threat(8 / 255)
    steps, restarts = machine.size(50, 10), machine.size(10, 2)
    attack = Pgd(steps, restarts, threat.eps / 4)
    batch = eval_batch(build("cifar10", {}), device_of(machine))

    def evaluation(of: TestImages, attack: Pgd) -> Evaluation:
        return Evaluation(model, of, [(threat, attack)], 0, BF16, batch)

    evaluation(images.first(batch), Pgd(5, 1, threat.eps / 4)).run()  # algorithms are chosen
    begun, calls = time.monotonic(), [0]
    found = evaluation(images, attack).run(lambda done, total: _count(calls))[0]
    seconds = time.monotonic() - begun
    findings.at_least("clean accuracy", found.clean, 0.5)
    findings.info("robust accuracy", found.robust)
    findings.info("batch steps a second", calls[0] / seconds)
    if machine.gpu and not machine.small:
        findings.slow_above(f"seconds for {len(images):,} images", seconds, 5.0, " s")
    with Operations() as operations:
        counted = [0]
        evaluation(images.first(60), Pgd(steps, 1, threat.eps / 4)).run(lambda done, total: _count(counted))
    findings.slow_above("host waits a step", operations.waits.total() / counted[0], 11)
    findings.info("operations a step", operations.total / counted[0])


def _count(calls: list[int]) -> None:
    calls[0] += 1


def _robust_network(machine: Machine) -> tuple[nn.Module, TestImages]:
    """A network of the paper's size, and images with more and more noise, on about half of which it is robust.

    So the attack has work to do until its end, as on a network that was trained for long.
    """
    images = colour_images(machine, 2000)
    config = build("cifar10", {"optim.lr": 0.05})
    learner = learner_for(machine, network(config.model.width, "cifar10"), config.optim, "bf16")
    train(learner, config, images, 150, 128)
    return learner.model.eval(), TestImages(_noisier(images.pixels[:1000]), images.labels[:1000])


def _noisier(pixels: Tensor) -> Tensor:
    """Images (N, H, W, C) of which each next one has more noise."""
    rng = torch.Generator(pixels.device).manual_seed(0)
    noise = torch.randn(pixels.shape, generator=rng, device=pixels.device)
    share = torch.linspace(0, 1, len(pixels), device=pixels.device)[:, None, None, None]
    weaker = 128 + (1 - share) * (pixels.float() - 128) + 60 * share * noise
    return weaker.clamp(0, 255).to(torch.uint8)
