"""Training steps beside the textbook's: images a second, and peak memory."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import textbook
import torch
from speed_inputs import ALPHA, BATCH, EPS, FACTS, STEP, minibatch, network
from timing import Pair, seconds

from engine import precision
from engine.attacks import Threat
from engine.learner import Learner
from engine.methods import fgsm, pgd
from engine.models.counting import count_passes
from engine.sections import ModelConfig, OptimConfig
from engine.tuning import tune_allocator


class Steps:
    """The textbook's training step and ours, on networks of their own."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.x, self.y = minibatch(device)
        self.network = network(width, device)
        self.sgd = torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
        self.precision, _ = precision.choose("auto", device)
        self.learner = Learner(network(width, device), OptimConfig(), lambda step: 0.1, device, self.precision)
        self.mine = self.x.contiguous(memory_format=torch.channels_last)
        self.rng, self.threat = torch.Generator(device).manual_seed(0), Threat(EPS)

    def textbook_fgsm(self) -> None:
        textbook.fgsm_step(self.network, self.sgd, self.x, self.y, EPS, ALPHA)

    def our_fgsm(self) -> None:
        fgsm(self.learner, self.mine, self.y, None, self.threat, self.rng, alpha=ALPHA)

    def textbook_pgd7(self) -> None:
        textbook.pgd_step(self.network, self.sgd, self.x, self.y, EPS, STEP, 7)

    def our_pgd7(self) -> None:
        pgd(self.learner, self.mine, self.y, None, self.threat, self.rng, alpha=STEP, steps=7)


def step(options: argparse.Namespace) -> None:
    """One FGSM update at batch 128, without the loading of data."""
    tune_allocator()
    for width in options.widths:
        steps = Steps(width, options.device)
        pair = Pair(steps.textbook_fgsm, steps.our_fgsm, options.repeats, options.device)
        passes = count_passes(ModelConfig(name="preact-resnet18", width=width), FACTS)
        work = BATCH * (2 * passes.forward + passes.to_image + passes.to_weights)
        rate, best = work / pair.fast, matrix_rate(options.device, precision.DTYPES[steps.precision])
        print(
            f"FGSM step, width {width}, {steps.precision}: {pair.ratio:.2f}x the textbook's images/s "
            f"({pair.low:.2f} to {pair.high:.2f} of {options.repeats}): "
            f"{BATCH / pair.slow:.1f} -> {BATCH / pair.fast:.1f}; "
            f"{rate / 1e9:.0f} GFLOP/s, {rate / best:.0%} of the best matrix product's {best / 1e9:.0f}"
        )


def matrix_rate(device: torch.device, dtype: torch.dtype | None) -> float:
    """The best rate of a square matrix product over sizes 512 to 4096, in operations a second."""
    rates = []
    for size in (512, 1024, 2048, 4096):
        a, b = (torch.randn(size, size, device=device, dtype=dtype or torch.float32) for _ in range(2))
        torch.mm(a, b)
        rates.append(2 * size**3 / min(seconds(lambda a=a, b=b: torch.mm(a, b), device) for _ in range(3)))
    return max(rates)


def pgd7(options: argparse.Namespace) -> None:
    """One PGD-7 update at batch 128, width 16."""
    tune_allocator()
    steps = Steps(16, options.device)
    pair = Pair(steps.textbook_pgd7, steps.our_pgd7, max(options.repeats // 2, 3), options.device)
    print(
        f"PGD-7 step, width 16, {steps.precision}: {pair.ratio:.2f}x the textbook's ({pair.low:.2f} to {pair.high:.2f})"
    )


def memory(options: argparse.Namespace) -> None:
    """Peak memory of a process that makes three steps."""
    for width in options.widths:
        peaks = {}
        for which in ("textbook", "ours"):
            words = ["--peak", which, "--widths", str(width), "--device", str(options.device)]
            command = [sys.executable, str(Path(__file__).parent / "speed.py"), *words]
            bare = dict(os.environ)
            bare.pop("FASTADV_TEST_DATA", None)  # to read it is a peak
            peaks[which] = float(subprocess.run(command, capture_output=True, text=True, check=True, env=bare).stdout)
        print(f"peak memory, width {width}: {peaks['textbook']:,.0f} MB -> {peaks['ours']:,.0f} MB")


def peak(options: argparse.Namespace) -> float:
    """Peak memory of this process in MB, after three steps; on a GPU what was allocated there."""
    if options.peak == "ours":
        tune_allocator()
    steps = Steps(options.widths[0], options.device)
    work = steps.our_fgsm if options.peak == "ours" else steps.textbook_fgsm
    for _ in range(3):
        work()
    if options.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    status = Path("/proc/self/status").read_text()  # getrusage would count what the parent had before the exec
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
