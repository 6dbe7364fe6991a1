"""Attacks and evaluations beside the textbook's and those of well-known libraries."""

import argparse
import copy
from typing import Any

import textbook
import torch
from speed_inputs import EPS, STEP, victim
from timing import Pair
from torch import Tensor, nn

from engine.attacks.pgd import Pgd, fooled_by_restart
from engine.attacks.probe import Probe
from engine.attacks.threat import Threat
from engine.data.memory.batches import TestImages
from engine.evaluation.evaluation import Evaluation
from engine.runtime import precision
from engine.runtime.allocator import tune_allocator
from engine.runtime.eval_mode import evaluating
from engine.runtime.rng import image_noise


def evaluation(options: argparse.Namespace) -> None:
    """PGD-50-10 of the same images, with the same noise; the textbook's network is in NCHW."""
    tune_allocator()
    if (found := victim(options)) is None:
        return
    model, test, x, y = first(*found, options.images)
    robust: dict[str, Tensor] = {}

    def noise(restart: int) -> Tensor:
        return EPS * image_noise(0, restart, torch.arange(len(test), device=options.device), x.shape[1:])

    def slow() -> None:
        model.to(memory_format=torch.contiguous_format)
        with evaluating(model):
            for parameter in model.parameters():
                parameter.requires_grad_()
            parts = x.contiguous(), y
            robust["textbook"] = textbook.pgd_robust(model, *parts, EPS, STEP, 50, 10, start=noise)

    def fast() -> None:
        robust["ours"] = left_by_ours(model, test, options.device)

    pair = Pair(slow, fast, 1, options.device, warm_up=False)
    left = {name: f"{mask.float().mean():.1%}" for name, mask in robust.items()}
    print(
        f"PGD-50-10 of {len(test)} images: {pair.ratio:.2f}x faster than the textbook's, {pair.slow:.0f} s -> "
        f"{pair.fast:.0f} s; left robust: {left['textbook']} by the textbook, {left['ours']} by ours; "
        f"{int((robust['ours'] & ~robust['textbook']).sum())} that the textbook fools and we do not"
    )


def first(model: nn.Module, test: TestImages, count: int) -> tuple[nn.Module, TestImages, Tensor, Tensor]:
    """The model, the first test images, and their pixels and labels."""
    some = test.first(count)
    return model, some, *some[torch.arange(len(some), device=some.labels.device)]


def left_by_ours(model: nn.Module, test: TestImages, device: torch.device) -> Tensor:
    """Which images our PGD-50-10 leaves robust: bool (N,)."""
    model.to(memory_format=torch.channels_last)
    search, _ = precision.choose("auto", device)
    whole = Evaluation(model, test, [(Threat(EPS), Pgd(50, 10, STEP))], 0, precision.DTYPES[search])
    whole.run()
    return whole.survivors[0]


def autoattack(options: argparse.Namespace) -> None:
    """AutoAttack in its standard version on the same images: how much lower, and for how much more time."""
    tune_allocator()
    if (found := victim(options)) is None:
        return
    try:
        from pyautoattack import AutoAttack
    except ImportError:
        print("left out: pyautoattack is not installed")
        return
    model, test, x, y = first(*found, options.images)
    plain = in_nchw(model)
    theirs = AutoAttack(plain, eps=EPS, device=options.device, seed=0)
    robust: dict[str, Tensor] = {}

    def slow() -> None:
        moved, _ = theirs.run_standard_evaluation(x.contiguous(), y, batch_size=250)
        with torch.no_grad():
            robust["theirs"] = plain(moved).argmax(1) == y

    def fast() -> None:
        robust["ours"] = left_by_ours(model, test, options.device)

    pair = Pair(slow, fast, 1, options.device, warm_up=False)
    print(
        f"{len(test)} images: AutoAttack leaves {robust['theirs'].float().mean():.1%} robust in {pair.slow:.0f} s, our "
        f"PGD-50-10 {robust['ours'].float().mean():.1%} in {pair.fast:.0f} s; "
        f"{int((robust['theirs'] & ~robust['ours']).sum())} that we fool and it does not"
    )


def attack(options: argparse.Namespace) -> None:
    """One PGD-10 on a batch of 250, against libraries that attack every example to the end."""
    tune_allocator()
    if (found := victim(options)) is None:
        return
    model, test = found
    images = torch.arange(250, device=options.device)
    x, y = test[images]
    plain = x.contiguous()
    model.eval().to(memory_format=torch.channels_last)
    search, _ = precision.choose("auto", options.device)

    def ours() -> None:
        with evaluating(model):
            probe = Probe(model, precision.DTYPES[search])
            fooled_by_restart(probe, x, y, images, Threat(EPS), Pgd(10, 1, STEP), 0, 0)

    for name, other in libraries(model, plain, y).items():
        pair = Pair(other, ours, options.repeats, options.device)
        print(f"PGD-10 of 250 images: {pair.ratio:.2f}x faster than {name} ({pair.low:.2f} to {pair.high:.2f})")


def libraries(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Any]:
    """PGD-10 by other libraries, on a network in the memory format that they leave it in."""
    found: dict[str, Any] = {}
    plain = in_nchw(model)
    try:
        import torchattacks

        found["torchattacks"] = lambda: torchattacks.PGD(plain, eps=EPS, alpha=STEP, steps=10)(x, y)
    except ImportError:
        print("left out: torchattacks is not installed")
    try:
        import foolbox

        wrapped = foolbox.PyTorchModel(plain, bounds=(0, 1), device=x.device)
        linf = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=10)
        found["foolbox"] = lambda: linf(wrapped, x, y, epsilons=EPS)
    except ImportError:
        print("left out: foolbox is not installed")
    return found


def in_nchw(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).to(memory_format=torch.contiguous_format).eval()
