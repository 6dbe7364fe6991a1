"""Ours beside the package's AutoAttack: the same networks, images and seeds, in turns, in one thread each.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.autoattack [--only digits-wide] [--attacks aa-quick] [--foreign]

It trains small networks (digits, and MNIST from $FASTADV_TEST_DATA) and prints a table: the images that are left by
APGD-CE, by the targeted APGD, by the first two attacks, and by all four, and the processor seconds of each side. The
package is pyautoattack, in its standard version. `apgd-ce, same starts` lets the package begin at our random starts,
since one start leaves some images more or less than another. `--foreign` evaluates three networks that are saved in
foreign forms by `fastadv eval`, beside the package.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from pyautoattack import AutoAttack
from pyautoattack.autopgd_base import APGDAttack
from torch import Tensor, nn

from engine.attacks.apgd import start_noise
from engine.attacks.threat import Threat
from engine.config.presets import build
from engine.data.dataset import open_dataset
from engine.data.memory.batches import TestImages
from engine.evaluation.evaluation import Evaluation
from engine.evaluation.settings import build_attack
from engine.models.build import build_network
from engine.runtime.eval_mode import evaluating
from engine.runtime.precision import DTYPES
from engine.runtime.rng import image_noise
from engine.training.methods.fgsm import fgsm
from tests.benchmarks.timing import machine
from tests.support.networks import CPU, make_learner

BATCH = 500  # of both sides; ours and the package's default is 250


@dataclass(frozen=True)
class Subject:
    """A network to train: updates of FGSM training, and eps of training and attack, in [0,1]."""

    dataset: str
    settings: dict[str, int]
    updates: int
    eps: float
    seed: int


SUBJECTS = {
    "digits-wide": Subject("digits", {"model.width": 32}, 300, 0.2, 0),
    "digits-narrow": Subject("digits", {"model.width": 8}, 200, 0.1, 1),
    "digits-small-eps": Subject("digits", {"model.width": 32}, 300, 16 / 255, 2),
    "mnist": Subject("mnist", {}, 500, 0.2, 0),
}
ATTACKS = ["apgd-ce", "apgd-t", "fab-t", "square"]
# Our attacks, and the attacks of the package that they stand for.
SAME_STARTS = "apgd-ce, same starts"
COMPARED = {"apgd-ce": ATTACKS[:1], "apgd-t": ATTACKS[1:2], "aa-quick": ATTACKS[:2], "aa": ATTACKS}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=SUBJECTS, help="one of the networks")
    parser.add_argument("--seeds", type=int, default=3, help="of the attacks")
    parser.add_argument("--attacks", default=",".join(COMPARED), help=f"of ours: some of {', '.join(COMPARED)}")
    parser.add_argument("--images", type=int, default=360)
    parser.add_argument("--search", default="bf16", choices=DTYPES)
    parser.add_argument("--foreign", action="store_true", help="only the networks in foreign forms")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(machine(CPU))
    print(f"python -m tests.benchmarks.autoattack {' '.join(sys.argv[1:])}".strip())
    if asked.foreign:
        return foreign_forms(asked.images)
    print(
        "| network | clean | attack | left by ours, by seed | by the package's | means | ours, s | the package's, s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in [asked.only] if asked.only else SUBJECTS:
        model, test = trained(SUBJECTS[name], asked.images)
        for attack in asked.attacks.split(","):
            for kind in (attack, SAME_STARTS) if attack == "apgd-ce" else (attack,):
                print(line(name, kind, model, test, range(asked.seeds), asked.search), flush=True)
    return None


def trained(subject: Subject, images: int) -> tuple[nn.Module, TestImages]:
    """A network after some updates of FGSM training, in eval mode, and the first test images."""
    typed = {"data_dir": os.environ.get("FASTADV_TEST_DATA", ""), "device": "cpu", **subject.settings}
    config = build(subject.dataset, typed)
    dataset = open_dataset(config)
    torch.manual_seed(subject.seed)
    learner = make_learner(build_network(config.model, dataset.facts), name="adam", lr=2e-3, weight_decay=0.0)
    phase, rng = dataset.filled(config.phase_list[-1]), torch.Generator().manual_seed(subject.seed)
    batches = dataset.batches(phase, subject.seed, CPU)
    for batch in islice(chain.from_iterable(batches.epoch(epoch) for epoch in count()), subject.updates):
        fgsm(learner, batch, Threat(subject.eps), rng, alpha=1.25 * subject.eps)
    test = dataset.test(phase, CPU)
    assert isinstance(test, TestImages)
    return learner.model.eval(), test.first(images)


def line(name: str, ours: str, model: nn.Module, test: TestImages, seeds: range, search: str) -> str:
    """A line of the table: one of our attacks, beside the attacks of the package that it stands for."""
    eps, (x, y) = SUBJECTS[name].eps, test[torch.arange(len(test))]
    with evaluating(model):
        clean = int((model(x).argmax(1) == y).sum())

    def theirs(seed: int) -> int:
        if ours == SAME_STARTS:
            return left_by_package_from_our_starts(model, x, y, eps, seed)
        return left_by_package(model, x, y, eps, COMPARED[ours], seed)

    named = ours.partition(",")[0]
    found = [  # in turns, so that a busy machine slows both
        (timed(partial(left_by_ours, model, test, eps, named, seed, search)), timed(partial(theirs, seed)))
        for seed in seeds
    ]
    sides = [[*side] for side in zip(*found, strict=True)]
    counts = [" ".join(str(left) for left, _ in side) for side in sides]
    means = " / ".join(f"{mean(left for left, _ in side):.1f}" for side in sides)
    seconds = [f"{mean(taken for _, taken in side):.1f}" for side in sides]
    return f"| {' | '.join((name, str(clean), ours, *counts, means, *seconds))} |"


def timed(work: Callable[[], int]) -> tuple[int, float]:
    """What a function returns, and the processor seconds that it took."""
    begun = time.process_time()
    found = work()
    return found, time.process_time() - begun


def left_by_ours(model: nn.Module, test: TestImages, eps: float, attack: str, seed: int, search: str) -> int:
    attacks = [(Threat(eps), build_attack(attack, eps / 4, 10))]
    evaluation = Evaluation(model, test, attacks, seed, DTYPES[search], BATCH)
    evaluation.run()
    return int(evaluation.survivors[0].sum())


def left_by_package(model: nn.Module, x: Tensor, y: Tensor, eps: float, attacks: list[str], seed: int) -> int:
    with evaluating(model):
        attack: Any = AutoAttack(model, attacks=attacks, version="custom", eps=eps, seed=seed)
        attack.apgd.n_restarts = attack.fab.n_restarts = 1  # as in the standard version; the others are as there
        adversarial, _ = attack.run_standard_evaluation(x.contiguous(), y, batch_size=BATCH)
        return int((model(adversarial).argmax(1) == y).sum())


def left_by_package_from_our_starts(model: nn.Module, x: Tensor, y: Tensor, eps: float, seed: int) -> int:
    """The images that APGD-CE of the package leaves from the random starts of ours."""
    attack: Any = APGDAttack(model, n_restarts=1, eps=eps, loss="ce", seed=seed, device=x.device)
    with evaluating(model):
        images = (model(x).argmax(1) == y).nonzero().flatten()
        x, y = x[images].contiguous(), y[images]
        attack.init_hyperparam(x)
        start = start_noise(Threat(eps), x, image_noise(seed, 0, images, x.shape[1:]))
        return int(attack.attack_single_run(x, y, x_init=x + start)[1].sum())


def foreign_forms(images: int) -> None:
    """`fastadv eval --attack aa` of three files, beside the package on the network that was saved."""
    print("| file | ours, left of the images | the package's |")
    print("| --- | --- | --- |")
    subject = SUBJECTS["digits-narrow"]
    model, test = trained(subject, images)
    plain = model.state_dict()
    forms = {
        "state dict": plain,
        "dict with state_dict": {"epoch": 3, "state_dict": plain},
        "DataParallel": {f"module.{key}": value for key, value in plain.items()},
    }
    x, y = test[torch.arange(len(test))]
    theirs = left_by_package(model, x, y, subject.eps, ATTACKS, 0)
    with tempfile.TemporaryDirectory() as folder:
        for form, content in forms.items():
            path = Path(folder) / "weights.pt"
            torch.save(content, path)
            robust = evaluated_by_command(path, subject, images, Path(folder) / "home")
            print(f"| {form} | {round(robust * len(test))} | {theirs} |", flush=True)


def evaluated_by_command(path: Path, subject: Subject, images: int, home: Path) -> float:
    words = ["fastadv", "eval", str(path), "--dataset", subject.dataset, "--eps", str(subject.eps), "--attack", "aa"]
    words += ["--limit", str(images), "--json", "--again"]
    words += [word for key, value in subject.settings.items() for word in ("--set", f"{key}={value}")]
    environment = os.environ | {"FASTADV_HOME": str(home)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    return float(measured["robust"][0])


if __name__ == "__main__":
    main()
