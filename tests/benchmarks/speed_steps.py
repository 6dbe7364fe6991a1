"""Training steps, the textbook's and ours, each in a process of its own: no allocator setting, cache or memory of one
side helps or hurts the other.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import textbook
import torch
from numpy.typing import NDArray
from speed_inputs import ALPHA, BATCH, EPS, FACTS, STEP, cifar, network
from torch import Tensor

from engine.attacks.threat import Threat
from engine.config.sections import OptimConfig
from engine.data.memory.batches import TrainBatches
from engine.data.minibatch import Minibatch
from engine.runtime import precision
from engine.runtime.allocator import tune_allocator
from engine.training.learner import Learner
from engine.training.methods.fgsm import fgsm
from engine.training.methods.pgd import pgd

READY = "ready"


class Textbook:
    """The textbook's steps: a DataLoader with PIL transforms, fp32, NCHW, as torch finds the machine."""

    def __init__(self, width: int, device: torch.device, compile: bool) -> None:
        self.device, self.network = device, network(width, device)
        self.sgd = torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
        self.minibatches = textbook.minibatches(*training_images(), BATCH, workers=0)

    def fgsm(self) -> None:
        textbook.fgsm_step(self.network, self.sgd, *self._minibatch(), EPS, ALPHA)

    def pgd7(self) -> None:
        textbook.pgd_step(self.network, self.sgd, *self._minibatch(), EPS, STEP, 7)

    def _minibatch(self) -> tuple[Tensor, Tensor]:
        x, y = next(self.minibatches)
        return x.to(self.device), y.to(self.device)


class Ours:
    """Our steps, as the engine takes them."""

    def __init__(self, width: int, device: torch.device, compile: bool) -> None:
        tune_allocator()
        chosen, _ = precision.choose("auto", device)
        optim, compile_for = OptimConfig(), [BATCH] if compile else []
        self.learner = Learner(network(width, device), optim, lambda step: 0.1, device, chosen, compile_for, compile)
        self.minibatches = self._minibatches(device)
        self.rng, self.threat = torch.Generator(device).manual_seed(0), Threat(EPS)

    def fgsm(self) -> None:
        fgsm(self.learner, next(self.minibatches), self.threat, self.rng, alpha=ALPHA)
        self.learner.advance()

    def pgd7(self) -> None:
        pgd(self.learner, next(self.minibatches), self.threat, self.rng, alpha=STEP, steps=7)
        self.learner.advance()

    def _minibatches(self, device: torch.device) -> Iterator[Minibatch]:
        batches = TrainBatches(*training_images(), FACTS, BATCH, 0, device)
        while True:
            yield from (batch for batch in batches.epoch(0) if len(batch) == BATCH)


SIDES = {"textbook": Textbook, "ours": Ours}


def training_images() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images, uint8 (N, 32, 32, 3), and labels, (N,); noise where there are no data."""
    if arrays := cifar():
        return arrays.train_images, arrays.train_labels
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(1024, 32, 32, 3), dtype=np.uint8), rng.integers(10, size=1024)


def steps(side: str, kind: str, width: int, device: torch.device, compile: bool = False) -> Callable[[], None]:
    """A function that takes one step of a side ("textbook" or "ours") and a kind ("fgsm" or "pgd7")."""
    found: Callable[[], None] = getattr(SIDES[side](width, device, compile), kind)
    return found


def serve(options: argparse.Namespace) -> None:
    """Take a step whenever a line comes in, and answer with a line when the device has taken it."""
    side, kind = options.serve.split(":")
    step = steps(side, kind, options.widths[0], options.device, options.compile)
    print(READY, flush=True)
    for _ in sys.stdin:
        step()
        if options.device.type == "cuda":
            torch.cuda.synchronize()
        print(READY, flush=True)


class Served:
    """A call is one step of a side in its own process."""

    def __init__(self, side: str, kind: str, width: int, device: torch.device, compile: bool = False) -> None:
        words = ["--serve", f"{side}:{kind}", "--widths", str(width), "--device", str(device)]
        command = [sys.executable, str(Path(__file__).parent / "speed.py"), *words, *["--compile"] * compile]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._wait()

    def __call__(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._wait()

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def _wait(self) -> None:
        assert self._process.stdout
        if self._process.stdout.readline().strip() != READY:
            raise SystemExit(f"a measured process ended with {self._process.wait()}")
