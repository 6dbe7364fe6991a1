"""Robust accuracy must not depend on the scale of the logits, nor on that of the activations inside a network.

Each network is rescaled in ways under which every decision stays the same, which is asserted. Its robust accuracy may
move by MAX_MOVE at most, in every precision of the search:

    OMP_NUM_THREADS=1 python -m tests.benchmarks.logit_scale

Real images come from $FASTADV_TEST_DATA. Exit code 1 if an accuracy moves by more.
"""

import argparse
import copy
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, count, islice

import torch
from torch import Tensor, nn

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.config.presets import build
from engine.data.dataset import open_dataset
from engine.data.memory.batches import TestImages
from engine.evaluation.evaluation import Evaluation
from engine.models.build import build_network
from engine.models.preact_resnet import PreActBlock
from engine.runtime.eval_mode import evaluating
from engine.runtime.precision import DTYPES
from engine.training.methods.fgsm import fgsm
from tests.benchmarks.timing import machine
from tests.support.networks import CPU, make_learner

MAX_MOVE = 0.01
INNER = 50.0
POWERS = [10.0**power for power in range(-6, 7) if power]
EXTREMES = [1e-6, 1e6]
PRECISIONS = ("fp32", "bf16", "fp16")
Rescaling = Callable[[nn.Module], None]


@dataclass(frozen=True)
class Subject:
    """A network to train. updates: of FGSM training; eps: of the attacks, in [0,1].

    weak, strong: number of images under PGD-10, and under PGD-50-10, which meets only EXTREMES of the powers of ten.
    """

    dataset: str
    settings: dict[str, int]
    updates: int
    eps: float
    weak: int
    strong: int


SUBJECTS = {
    "digits": Subject("digits", {"model.width": 8}, 200, 0.1, 360, 200),
    "mnist": Subject("mnist", {}, 300, 0.2, 300, 200),
    "cifar": Subject("cifar", {"model.width": 8}, 300, 8 / 255, 200, 100),
}


@dataclass
class Line:
    """Robust accuracies of one network, attack and precision: as trained, and by rescaling."""

    name: str
    attack: str
    precision: str
    before: float
    after: dict[str, float]

    @property
    def move(self) -> tuple[float, str]:
        """The largest move, and the rescaling that made it."""
        return max((abs(robust - self.before), how) for how, robust in self.after.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=SUBJECTS, help="one of the networks")
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    asked = parser.parse_args()
    begun = time.monotonic()
    print(machine(CPU))
    print(f"python -m tests.benchmarks.logit_scale {' '.join(sys.argv[1:])}".strip())
    print("| network | attack | search | as trained | rescaled: least | most | largest move | by | rescalings |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    subjects = [SUBJECTS[asked.only]] if asked.only else [*SUBJECTS.values()]
    lines = [line for subject in subjects for line in measured(subject, asked.precisions.split(","))]
    worst = max(line.move[0] for line in lines)
    print(f"largest move {100 * worst:.2f} points, {time.monotonic() - begun:,.0f} s")
    return int(worst > MAX_MOVE + 1e-9)


def measured(subject: Subject, precisions: list[str]) -> Iterator[Line]:
    """Train a network, and attack it and its rescaled copies."""
    model, test = trained(subject)
    copies = {how: rescaled(model, change, test) for how, change in rescalings(model).items()}
    for attack, images in ((Pgd(10, 1, subject.eps / 4), subject.weak), (Pgd(50, 10, subject.eps / 4), subject.strong)):
        chosen = {how: other for how, other in copies.items() if attack.restarts == 1 or _is_extreme(how)}
        for precision in precisions:
            before, *after = (
                robust(network, test.first(images), subject.eps, attack, precision)
                for network in (model, *chosen.values())
            )
            line = Line(subject.dataset, attack.name, precision, before, dict(zip(chosen, after, strict=True)))
            _print(line, images)
            yield line


def trained(subject: Subject) -> tuple[nn.Module, TestImages]:
    """A network after some updates of FGSM training, in eval mode, and the test images."""
    typed = {"data_dir": os.environ.get("FASTADV_TEST_DATA", ""), "device": "cpu", **subject.settings}
    config = build(subject.dataset, typed)
    dataset = open_dataset(config)
    torch.manual_seed(0)
    learner = make_learner(build_network(config.model, dataset.facts), name="adam", lr=2e-3, weight_decay=0.0)
    phase, rng = dataset.filled(config.phase_list[-1]), torch.Generator().manual_seed(0)
    batches = dataset.batches(phase, 0, CPU)
    for batch in islice(chain.from_iterable(batches.epoch(epoch) for epoch in count()), subject.updates):
        fgsm(learner, batch, Threat(subject.eps), rng, alpha=1.25 * subject.eps)
    test = dataset.test(phase, CPU)
    assert isinstance(test, TestImages)
    return learner.model.eval(), test


def robust(model: nn.Module, test: TestImages, eps: float, attack: Pgd, precision: str) -> float:
    return Evaluation(model, test, [(Threat(eps), attack)], 0, DTYPES[precision]).run()[0].robust


# -- rescalings ---------------------------------------------------------------------------------------------------


def rescaled(model: nn.Module, change: Rescaling, test: TestImages) -> nn.Module:
    """A copy after the change. Its decisions on the test images are those of the model."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        change(other)
    assert torch.equal(_decisions(model, test), _decisions(other, test))
    return other


def _decisions(model: nn.Module, test: TestImages) -> Tensor:
    with torch.no_grad(), evaluating(model):
        return model(test[torch.arange(min(1000, len(test)))][0]).argmax(1)


def rescalings(model: nn.Module) -> dict[str, Rescaling]:
    """Changes of a network under which every decision stays the same, by what they do."""
    found = {f"last layer x {factor:g}": _last_times(factor) for factor in POWERS}
    if any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules()):
        return found | {
            "residual stream x 50": _stream,
            "inside each block x 50": _blocks,
            "last BatchNorm x 50": _head,
        }
    return found | {f"layer {number} x 50": _layer_times(number) for number in range(len(_layers(model)) - 1)}


def _is_extreme(how: str) -> bool:
    return not how.startswith("last layer") or float(how.rpartition(" ")[2]) in EXTREMES


def _layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def _scale(layer: nn.Conv2d | nn.Linear, weight: float, bias: float) -> None:
    layer.weight *= weight
    if layer.bias is not None:
        layer.bias *= bias


def _match(norm: nn.BatchNorm2d, factor: float) -> None:
    """Statistics for inputs that are `factor` times as large, so that the outputs stay the same."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean *= factor
    norm.running_var *= factor**2
    norm.eps *= factor**2


def _last_times(factor: float) -> Rescaling:
    return lambda model: _scale(_layers(model)[-1], factor, factor)


def _layer_times(first: int) -> Rescaling:
    """One layer of a network of ReLU layers, and the later biases: the logits are multiplied."""

    def change(model: nn.Module) -> None:
        _scale(_layers(model)[first], INNER, INNER)
        for layer in _layers(model)[first + 1 :]:
            _scale(layer, 1.0, INNER)

    return change


def _blocks_of(model: nn.Module) -> list[PreActBlock]:
    return [block for block in model.modules() if isinstance(block, PreActBlock)]


def _last_norm(model: nn.Module) -> nn.BatchNorm2d:
    return [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)][-1]


def _stream(model: nn.Module) -> None:
    """All that the residual connections carry. BatchNorm divides by the factor before each convolution."""
    _scale(_layers(model)[0], INNER, INNER)
    for block in _blocks_of(model):
        _match(block.bn1, INNER)
        _scale(block.conv2, INNER, INNER)
        if block.shortcut is not None:
            _scale(block.shortcut, INNER, INNER)
    _match(_last_norm(model), INNER)


def _blocks(model: nn.Module) -> None:
    for block in _blocks_of(model):
        _scale(block.conv1, INNER, INNER)
        _match(block.bn2, INNER)


def _head(model: nn.Module) -> None:
    """The input of the last layer, and its bias: the logits are multiplied."""
    norm = _last_norm(model)
    norm.weight *= INNER
    norm.bias *= INNER
    _scale(_layers(model)[-1], 1.0, INNER)


def _print(line: Line, images: int) -> None:
    least, most = min(line.after.values()), max(line.after.values())
    move, how = line.move
    figures = (f"{line.before:.1%}", f"{least:.1%}", f"{most:.1%}", f"{100 * move:.2f} points", how)
    names = (line.name, f"{line.attack}, {images} images", line.precision)
    print(f"| {' | '.join((*names, *figures, str(len(line.after))))} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
