"""Training steps beside the textbook's: images a second, and peak memory."""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from speed_inputs import BATCH, FACTS
from speed_steps import Served, steps
from timing import Pair, seconds

from engine.config.sections import ModelConfig
from engine.models.flops import count_passes
from engine.runtime import precision

REFERENCE_STEPS, REFERENCE_EPOCHS, IMAGES = 200, 15, 50_000
WALL = torch.device("cpu")  # what a served step takes by the clock of this process


def step(options: argparse.Namespace) -> None:
    """One FGSM update at batch 128, its minibatch included; compiled, too."""
    for width in options.widths:
        passes = count_passes(ModelConfig(name="preact-resnet18", width=width), FACTS)
        work = BATCH * (2 * passes.forward + passes.to_image + passes.to_weights)
        for compile in (False, True):
            pair, named = _pair("fgsm", width, compile, options.repeats, options)
            rate, best = work / pair.fast, matrix_rate(options.device, precision.DTYPES[_precision(options)])
            print(
                f"FGSM step, {named}: {pair.ratio:.2f}x the textbook's images/s "
                f"({pair.low:.2f} to {pair.high:.2f} of {options.repeats}): "
                f"{BATCH / pair.slow:.1f} -> {BATCH / pair.fast:.1f}; "
                f"{rate / 1e9:.0f} GFLOP/s, {rate / best:.0%} of the best matrix product's {best / 1e9:.0f}",
                flush=True,
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
    """One PGD-7 update at batch 128, its minibatch included; compiled, too."""
    repeats = max(options.repeats // 2, 3)
    for width in options.widths:
        for compile in (False, True):
            pair, named = _pair("pgd7", width, compile, repeats, options)
            rates = f"{BATCH / pair.slow:.1f} -> {BATCH / pair.fast:.1f}"
            print(
                f"PGD-7 step, {named}: {pair.ratio:.2f}x the textbook's images/s "
                f"({pair.low:.2f} to {pair.high:.2f} of {repeats}): {rates}",
                flush=True,
            )


def reference(options: argparse.Namespace) -> None:
    """How long the reference recipe (Wong et al., 2020: 15 epochs of FGSM) takes by the textbook's steps."""
    with Served("textbook", "fgsm", 64, options.device) as one:
        one()
        took = [seconds(one, WALL) for _ in range(REFERENCE_STEPS)]
    per_step = statistics.median(took)
    hours = per_step * (IMAGES // BATCH) * REFERENCE_EPOCHS / 3600
    spread = f"{min(took):.2f} to {max(took):.2f}"
    print(f"reference recipe: {hours:.1f} h for {REFERENCE_EPOCHS} epochs of {IMAGES:,} images, extrapolated from "
          f"{len(took)} textbook steps of {per_step:.2f} s ({spread})", flush=True)  # fmt: skip


def _pair(kind: str, width: int, compile: bool, repeats: int, options: argparse.Namespace) -> tuple[Pair, str]:
    """Seconds of both sides' steps, and words for what ours are."""
    device = options.device
    with Served("textbook", kind, width, device) as slow, Served("ours", kind, width, device, compile) as fast:
        fast()  # one more step to warm up: compiled networks compile once for each kind of pass
        return Pair(slow, fast, repeats, WALL), f"width {width}, {_precision(options)}{', compiled' * compile}"


def _precision(options: argparse.Namespace) -> str:
    return precision.choose("auto", options.device)[0]


def memory(options: argparse.Namespace) -> None:
    """Peak memory of a process that makes three steps."""
    for width in options.widths:
        peaks = {}
        for side in ("textbook", "ours"):
            words = ["--peak", side, "--widths", str(width), "--device", str(options.device)]
            command = [sys.executable, str(Path(__file__).parent / "speed.py"), *words]
            bare = dict(os.environ)
            bare.pop("FASTADV_TEST_DATA", None)  # to read it is a peak
            peaks[side] = float(subprocess.run(command, capture_output=True, text=True, check=True, env=bare).stdout)
        print(f"peak memory, width {width}: {peaks['textbook']:,.0f} MB -> {peaks['ours']:,.0f} MB")


def peak(options: argparse.Namespace) -> None:
    """Print the peak memory of this process in MB, after three steps; on a GPU what was allocated there."""
    step = steps(options.peak, "fgsm", options.widths[0], options.device)
    for _ in range(3):
        step()
    if options.device.type == "cuda":
        print(torch.cuda.max_memory_allocated() / 1e6)
        return
    status = Path("/proc/self/status").read_text()  # getrusage would count what the parent had before the exec
    print(int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6)
