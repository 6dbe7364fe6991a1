"""How long training waits for its checkpoints: `python -m tests.benchmarks.checkpoint [--folder FOLDER] [--trials 9]`.

PreActResNet18 at full width with SGD writes `best.pt` and `last.pt`, as at the end of an epoch: in the thread of the
training, and in a thread of their own. Both take turns. Then the same with training steps beside the writing.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn

from engine.config.datasets import facts_of
from engine.config.presets import build
from engine.models.build import build_network
from engine.runtime.allocator import tune_allocator
from engine.training import checkpoint
from engine.training.checkpoint_writer import CheckpointFile, CheckpointWriter
from tests.benchmarks.timing import machine, seconds

CONFIG = build("cifar", {})
CPU = torch.device("cpu")


class Trained:
    """A network that has had a step. step: one more, on 32 random images."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = build_network(CONFIG.model, facts_of("cifar10"))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.9)
        self._x, self._y = torch.rand(32, 3, 32, 32), torch.randint(10, (32,))
        self.step()

    def step(self) -> None:
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.model(self._x), self._y).backward()
        self.optimizer.step()

    def files(self, folder: Path) -> tuple[CheckpointFile, CheckpointFile]:
        weights: dict[str, Any] = {"model": self.model.state_dict()}
        best = CheckpointFile(folder / "best.pt", weights)
        state = weights | {"optimizer": self.optimizer.state_dict()}
        return best, CheckpointFile(folder / "last.pt", state, keep=folder / "previous.pt")


def in_this_thread(trained: Trained, folder: Path) -> None:
    for file in trained.files(folder):
        checkpoint.save(file.path, CONFIG, file.state, file.keep)


def report(title: str, before: list[float], now: list[float]) -> None:
    ratios = sorted(one / other for one, other in zip(before, now, strict=True))
    medians = [statistics.median(each) for each in (before, now)]
    spread = f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    print(f"{title}: {medians[0]:.3f} s in the thread of the training, {medians[1]:.3f} s in another; {spread}")


def pairs(trials: int, before: Callable[[], object], now: Callable[[], object], after: Callable[[], None]) -> Any:
    """Seconds of both, in turns, without the first pair. after: what follows each call and is not measured."""
    found = []
    for _ in range(trials + 1):
        one = seconds(before, CPU)
        other = seconds(now, CPU)
        after()
        found.append((one, other))
    return zip(*found[1:], strict=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="where the files are written; default: the folder for temporary files")
    parser.add_argument("--trials", type=int, default=9)
    parser.add_argument("--steps", type=int, default=6, help="training steps beside a writing")
    options = parser.parse_args()
    print(machine(CPU), "load", *os.getloadavg())
    tune_allocator()
    trained = Trained()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        with CheckpointWriter(CONFIG, CPU, lambda event: None) as writer:
            measure(trained, folder, writer, options.trials, options.steps)
        sizes = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in sorted(folder.glob("*.pt")))
    print(f"{sizes}; resident now {psutil.Process().memory_info().rss / 1e6:.0f} MB; load", *os.getloadavg())


def measure(trained: Trained, folder: Path, writer: CheckpointWriter, trials: int, steps: int) -> None:
    def here() -> None:
        in_this_thread(trained, folder)

    def beside() -> None:
        writer.write(1, *trained.files(folder))

    def step(write: Callable[[], None]) -> None:
        write()
        for _ in range(steps):
            trained.step()
        writer.wait()

    report("the training waits", *pairs(trials, here, beside, writer.wait))
    report(
        f"{steps} steps and the files",
        *pairs(trials, lambda: step(here), lambda: step(beside), lambda: None),
    )


if __name__ == "__main__":
    main()
