"""Checks of single calculations: noise, images, gradients, and whether fp32 is fp32."""

import copy
import hashlib
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, backends, nn

from engine.attacks.probe import Probe
from engine.config.datasets import datasets
from engine.config.sections import OptimConfig
from engine.data.memory.batches import TrainBatches, to_images
from engine.runtime.eval_mode import evaluating
from engine.runtime.fp32 import full_fp32
from engine.runtime.rng import image_noise
from tests.gpu.networks import device_of, digits, learner_for, made_up, trained
from tests.gpu.registry import Findings, Machine, check

ULP = 2.0**-24  # half the distance of the float32 numbers just below 1
SUM = 10_000  # terms of the sums of check 13


@check(2, "noise of evaluations", seconds=2, cpu_seconds=0.5, on_cpu="against splitmix64 in numpy")
def noise(machine: Machine, findings: Findings) -> None:
    count, shape = machine.size(1000, 50), torch.Size((3, 32, 32))
    images = torch.arange(count)
    differing = wrong = 0
    for restart in range(3):
        here = image_noise(7, restart, images, shape)
        there = image_noise(7, restart, images.to(device_of(machine)), shape).cpu()
        differing += int((here != there).sum())
        wrong += int((there[:50].numpy() != splitmix_noise(7, restart, 50, shape)).sum())
    findings.at_most("numbers that differ from the CPU's", differing, 0)
    findings.at_most("numbers that differ from splitmix64 in numpy", wrong, 0)


def splitmix_noise(seed: int, restart: int, images: int, shape: torch.Size) -> NDArray[np.float32]:
    """The noise of the first images as published splitmix64 gives it (Steele, Lea and Flood, 2014)."""
    key = hashlib.blake2b(repr((seed, restart)).encode(), digest_size=8).digest()
    first = np.uint64(int.from_bytes(key, "little") >> 2)
    with np.errstate(over="ignore"):  # the hash counts modulo 2^64
        z = (first + np.arange(images * shape.numel(), dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    bits = (z ^ z >> np.uint64(31)) >> np.uint64(40)
    return (bits.astype(np.float64) / 2**23 - 1).astype(np.float32).reshape(images, *shape)


@check(3, "images and crops", seconds=2, cpu_seconds=1, on_cpu="the same, against crops that numpy cuts")
def crops(machine: Machine, findings: Findings) -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1)
    wanted, found = to_images(levels), to_images(levels.to(device_of(machine))).cpu()
    findings.at_most("deviation of the 256 pixel values", float((found - wanted).abs().max()), ULP)
    findings.equal("white", float(found.max()), 1.0)
    images, labels = made_up(machine.size(256, 64))
    facts = datasets()["cifar10"].facts
    assert facts is not None
    batch = TrainBatches(images, labels, facts, 32, 3, device_of(machine)).batch(1, 0)
    x, chosen = batch.x.cpu(), batch.index.cpu().numpy()
    distances = [_distance(x[row].numpy(), images[index], facts.padding) for row, index in enumerate(chosen)]
    findings.at_most("deviation from the nearest crop", max(distance for distance, _ in distances), ULP)
    findings.at_least("different crops of 32", len({crop for _, crop in distances}), 20)
    findings.equal("labels that are not those of the images", int((batch.y.cpu().numpy() != labels[chosen]).sum()), 0)
    findings.holds("in [0,1]", bool(x.min() >= 0) and bool(x.max() <= 1))
    findings.holds("in channels_last memory", batch.x.is_contiguous(memory_format=torch.channels_last))


def _distance(x: NDArray[np.float32], image: NDArray[np.uint8], padding: int) -> tuple[float, tuple[int, int, bool]]:
    """The crop of an image that is nearest to x (C, H, W): its largest deviation, and its row, column and flip."""
    padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0))).astype(np.float32) / 255
    size, found = image.shape[0], {}
    for row in range(2 * padding + 1):
        for column in range(2 * padding + 1):
            crop = padded[row : row + size, column : column + size]
            for flip in (False, True):
                seen = crop[:, ::-1] if flip else crop
                found[row, column, flip] = float(np.abs(seen.transpose(2, 0, 1) - x).max())
    nearest = min(found, key=lambda place: found[place])
    return found[nearest], nearest


@check(4, "direction of an attack", seconds=2, cpu_seconds=0.5, on_cpu="the same")
def direction(machine: Machine, findings: Findings) -> None:
    """The gradient of the logits themselves: a network that returns its image."""
    model = nn.Flatten().to(device_of(machine)).eval()
    rng = torch.Generator().manual_seed(0)
    kinds = {
        "random logits": torch.randn(machine.size(2000, 200), 10, generator=rng),
        "confident logits (80)": 80.0 * F.one_hot(torch.arange(20) % 10, 10),
        "tiny logits": 1e-20 * torch.randn(200, 10, generator=rng),
    }
    for name, logits in kinds.items():
        y = torch.arange(len(logits)) % 10 if "confident" in name else torch.randint(10, (len(logits),), generator=rng)
        found = _gradient(model, logits, y, machine)
        certain = (wanted := _wanted(logits, y)).abs() > 1e-12  # others may be rounded to zero
        findings.at_most(f"wrong signs, {name}", int((found.sign() != wanted.sign())[certain].sum()), 0)
        findings.holds(f"numbers, {name}", bool(found.isfinite().all()))
    equal = _gradient(model, torch.zeros(10, 10), torch.arange(10), machine)
    own = torch.eye(10, dtype=torch.bool)
    findings.holds("equal logits: away from the label", bool((equal[own] < 0).all()) and bool((equal[~own] > 0).all()))


def _gradient(model: nn.Module, logits: Tensor, y: Tensor, machine: Machine) -> Tensor:
    x, there = logits.float().view(len(logits), 10, 1, 1), device_of(machine)
    _, gradient = Probe(model).fooled_and_gradient(x.to(there), y.to(there))
    return gradient.flatten(1).double().cpu()


def _wanted(logits: Tensor, y: Tensor) -> Tensor:
    """The gradient of the cross-entropy of the logits at the standard deviation 5, by autograd in float64."""
    exact = logits.double()
    scaled = (exact * (5 / exact.std(1, keepdim=True, correction=0))).requires_grad_()
    return torch.autograd.grad(F.cross_entropy(scaled, y, reduction="sum"), scaled)[0]


@check(5, "input gradients in low precision", seconds=5, cpu_seconds=2, on_cpu="the same against float64")
def gradients(machine: Machine, findings: Findings) -> None:
    model, (_, images) = trained(machine), digits(device_of(machine))
    x, y = images[torch.arange(machine.size(200, 64), device=images.labels.device)]
    wanted = _exact_gradient(model, x, y)
    large = wanted.abs() > wanted.abs().median()
    for precision, least in {"fp32": 0.999, "bf16": 0.97, "fp16": 0.99}.items():
        learner = learner_for(machine, copy.deepcopy(model), OptimConfig(), precision)
        with full_fp32():
            found, _ = learner.input_grad(x, y, eval_mode=True)
        agreement = (found.cpu().sign() == wanted.sign())[large].float().mean()
        findings.at_least(f"signs that agree, {precision}", float(agreement), least)
        findings.holds(f"finite, {precision}", bool(found.isfinite().all()))


def _exact_gradient(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of each image's cross-entropy, in float64 on the CPU."""
    exact = x.detach().cpu().double().requires_grad_()
    logits = copy.deepcopy(model).cpu().double().eval()(exact)
    return torch.autograd.grad(F.cross_entropy(logits, y.cpu(), reduction="sum"), exact)[0]


@check(
    13,
    "fp32 verdicts are IEEE fp32",
    seconds=8,
    cpu_seconds=2.5,
    on_cpu="the same; a CPU has no TF32, so only the switches can fail",
    environment={"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"},
)
def ieee(machine: Machine, findings: Findings) -> None:
    """In a process of its own: torch reads the variable when it is loaded, and the switches stay as they are set."""
    torch.set_float32_matmul_precision("high")
    backends.cudnn.allow_tf32 = True
    by_old = _errors(machine)
    if hasattr(backends.cudnn, "conv"):  # since torch 2.9
        backends.fp32_precision = "tf32"  # type: ignore[attr-defined]
    by_new = _errors(machine)
    for kind in by_old:
        findings.at_most(f"error of {kind}, old switches on", by_old[kind][0], 1e-5)
        findings.at_most(f"error of {kind}, new switches on", by_new[kind][0], 1e-5)
        findings.info(f"error of {kind} outside of evaluations", by_new[kind][1])
    with evaluating(nn.Identity()):
        findings.holds("cuDNN may not use TF32", not backends.cudnn.allow_tf32)
        findings.holds("matrix products may not use TF32", not backends.cuda.matmul.allow_tf32)


def _errors(machine: Machine) -> dict[str, tuple[float, float]]:
    """Relative error of a convolution and a linear layer, in an evaluation and outside of one."""
    torch.manual_seed(0)
    channels = SUM // 25
    layers: dict[str, tuple[Any, Tensor]] = {
        "a convolution": (nn.Conv2d(channels, 64, 5), torch.rand(8, channels, 8, 8)),
        "a linear layer": (nn.Linear(SUM, 64), torch.rand(64, SUM)),
    }
    found = {}
    for kind, (layer, x) in layers.items():
        with torch.no_grad():
            wanted = copy.deepcopy(layer).double()(x.double())
        layer, there = layer.to(device_of(machine)), x.to(device_of(machine))
        with torch.no_grad():
            outside = layer(there)
            with evaluating(layer):
                inside = layer(there)
        found[kind] = (_relative(inside, wanted), _relative(outside, wanted))
    return found


def _relative(found: Tensor, wanted: Tensor) -> float:
    return float((found.double().cpu() - wanted).norm() / wanted.norm())
