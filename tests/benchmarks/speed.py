"""How fast the engine is, as ratios to textbook versions and to well-known libraries, all in one run.

    python tests/benchmarks/speed.py                              everything
    python tests/benchmarks/speed.py step attack --repeats 5      some of it
    python tests/benchmarks/speed.py evaluation --run RUN_FOLDER  with the weights of a run
    python tests/benchmarks/speed.py --device cuda                the same on a GPU, timed by its own events

Real images come from $FASTADV_TEST_DATA; without it, speed is measured on noise, and what needs real ones is left out.
torchattacks and foolbox are measured if they are installed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import textbook
import torch
from timing import Pair, counted, machine, seconds
from torch import Tensor, nn

from engine import data, events, models, precision
from engine.attacks import Pgd, Probe, Threat, broken_by_restart
from engine.checkpoint import load_model
from engine.data.batches import TestImages
from engine.data.facts import DATASETS
from engine.evaluate import Evaluation
from engine.learner import Learner
from engine.methods import fgsm, pgd
from engine.models.counting import count_passes
from engine.modes import evaluating
from engine.presets import build
from engine.provenance import engine_command
from engine.rundir import RunDir, Submission
from engine.sections import ModelConfig, OptimConfig
from engine.streams import image_noise
from engine.tuning import tune_allocator

EPS, ALPHA, STEP, BATCH = 8 / 255, 10 / 255, 2 / 255, 128
FACTS = DATASETS["cifar10"]


def main() -> None:
    sections = {
        "step": step, "pgd7": pgd7, "evaluation": evaluation, "attack": attack, "overhead": overhead,
        "events": event_writer, "memory": memory, "start": start,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", default=[*sections])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 16])
    parser.add_argument("--run", help="folder of a run on CIFAR-10 whose weights are evaluated")
    parser.add_argument("--images", type=int, default=100, help="images of the evaluation")
    parser.add_argument("--peak", choices=["textbook", "ours"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.device = torch.device(options.device)
    if options.peak:
        print(peak(options))
        return
    print(machine(options.device))
    for name in options.sections:
        sections[name](options)


def network(width: int, device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    return models.build(ModelConfig(name="preact-resnet18", width=width), FACTS).to(device)


def minibatch(device: torch.device) -> tuple[Tensor, Tensor]:
    """Training images, (128, 3, 32, 32) in [0,1], and their labels; noise where there are no data."""
    if arrays := cifar():
        images = torch.from_numpy(arrays.train_images[:BATCH]).permute(0, 3, 1, 2).float() / 255
        return images.contiguous().to(device), torch.from_numpy(arrays.train_labels[:BATCH]).to(device)
    return torch.rand(BATCH, 3, 32, 32, device=device), torch.randint(10, (BATCH,), device=device)


def cifar() -> Any:
    folder = os.environ.get("FASTADV_TEST_DATA")
    return data.open("cifar10", folder) if folder else None


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


def victim(options: argparse.Namespace) -> tuple[nn.Module, TestImages] | None:
    """Trained weights, and the first test images."""
    if not options.run or not (arrays := cifar()):
        print("left out: it needs trained weights (--run FOLDER) and $FASTADV_TEST_DATA")
        return None
    model = load_model(options.run).to(options.device)
    test = TestImages.load(arrays.test_images, arrays.test_labels, options.device)
    return model, test


def evaluation(options: argparse.Namespace) -> None:
    """PGD-50-10 of the same images, with the same noise; the textbook's network is in NCHW."""
    tune_allocator()
    if (found := victim(options)) is None:
        return
    model, test = found[0], found[1].first(options.images)
    x, y = test[torch.arange(len(test), device=options.device)]
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
        model.to(memory_format=torch.channels_last)
        search, _ = precision.choose("auto", options.device)
        whole = Evaluation(model, test, [(Threat(EPS), Pgd(50, 10, STEP))], 0, precision.DTYPES[search])
        whole.run()
        robust["ours"] = whole.survivors[0]

    pair = Pair(slow, fast, 1, options.device, warm_up=False)
    left = {name: f"{mask.float().mean():.1%}" for name, mask in robust.items()}
    print(
        f"PGD-50-10 of {len(test)} images: {pair.ratio:.2f}x faster than the textbook's, {pair.slow:.0f} s -> "
        f"{pair.fast:.0f} s; left robust: {left['textbook']} by the textbook, {left['ours']} by ours; "
        f"{int((robust['ours'] & ~robust['textbook']).sum())} that the textbook breaks and we do not"
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
            broken_by_restart(probe, x, y, images, Threat(EPS), Pgd(10, 1, STEP), 0, 0)

    for name, other in libraries(model, plain, y).items():
        pair = Pair(other, ours, options.repeats, options.device)
        print(f"PGD-10 of 250 images: {pair.ratio:.2f}x faster than {name} ({pair.low:.2f} to {pair.high:.2f})")


def libraries(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Any]:
    """PGD-10 by other libraries, on a network in the memory format that they leave it in."""
    found: dict[str, Any] = {}
    plain = load_like(model)
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


def load_like(model: nn.Module) -> nn.Module:
    import copy

    return copy.deepcopy(model).to(memory_format=torch.contiguous_format).eval()


def overhead(options: argparse.Namespace) -> None:
    """Time outside of forward, backward and optimizer over the steps of a real training."""
    from engine.train import Training

    tune_allocator()
    width = options.widths[0]
    with a_run({"model.width": width, "epochs": 1, "watch.images": 0}, options) as (rundir, writer, stop):
        if rundir is None:
            return
        training = Training(rundir.submission().config, rundir, writer, stop)
        learner, spent = training.learner, []
        training._announce(1, "")
        minibatches, count = training._minibatches, 12
        training._minibatches = lambda epoch: (pair for pair, _ in zip(minibatches(epoch), range(count), strict=False))  # type: ignore[method-assign]
        training._train_epoch(0)  # warm
        with (
            counted(learner, "logits", spent),
            counted(torch.autograd, "grad", spent),
            counted(torch.autograd, "backward", spent),
            counted(learner.optimizer, "step", spent),
        ):
            total = seconds(lambda: training._train_epoch(0), options.device)
    print(
        f"engine overhead, width {width}: {1 - sum(spent) / total:.2%} of the time of {count} steps is not in forward, "
        "backward or optimizer"
    )


class a_run:  # noqa: N801 - reads as a function
    """A run folder on CIFAR-10, its writer and a stop that nobody asks for."""

    def __init__(self, typed: dict[str, Any], options: argparse.Namespace) -> None:
        self.typed, self.device = typed, options.device

    def __enter__(self) -> tuple[Any, Any, Any]:
        from engine.stopping import StopRequest

        self.folder = tempfile.TemporaryDirectory()
        if not (where := os.environ.get("FASTADV_TEST_DATA")):
            print("left out: it needs $FASTADV_TEST_DATA")
            return None, None, None
        rundir = RunDir(Path(self.folder.name))
        device = "cpu" if self.device.type == "cpu" else f"cuda:{self.device.index or 0}"
        config = build("cifar", {**self.typed, "data_dir": where, "device": device})
        rundir.config.write_bytes(msgspec.json.encode(Submission(id="bench", submitted=0.0, config=config)))
        self.writer = events.Writer(rundir.events)
        return rundir, self.writer, StopRequest(rundir.stop)

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


def event_writer(options: argparse.Namespace) -> None:
    """What an event costs, and what two a second are of the time."""
    with tempfile.TemporaryDirectory() as folder, events.Writer(Path(folder) / "events.jsonl") as writer:
        event = events.Step(step=1, epoch=0.1, lr=0.1, loss=2.0, accuracy=0.3, images_per_second=100.0, signal=0.1)
        each = seconds(lambda: [writer.write(event) for _ in range(1000)], torch.device("cpu")) / 1000
    print(f"events: {1e6 * each:.0f} µs each; two a second are {2 * each:.3%} of the time")


def memory(options: argparse.Namespace) -> None:
    """Peak memory of a process that makes three steps."""
    for width in options.widths:
        peaks = {}
        for which in ("textbook", "ours"):
            command = [
                sys.executable,
                __file__,
                "--peak",
                which,
                "--widths",
                str(width),
                "--device",
                str(options.device),
            ]
            bare = {
                key: value for key, value in os.environ.items() if key != "FASTADV_TEST_DATA"
            }  # to read it is a peak
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


def start(options: argparse.Namespace) -> None:
    """From the start of the engine to the first step on the digits, and the import of the torch-free modules."""
    found = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            rundir = RunDir(Path(folder))
            config = build("digits", {"epochs": 1, "eval.attack": "none"})
            rundir.config.write_bytes(msgspec.json.encode(Submission(id="bench", submitted=0.0, config=config)))
            begun = time.perf_counter()
            process = subprocess.Popen(engine_command(folder))
            while not any(isinstance(event, events.Step) for event in events.read(rundir.events)):
                time.sleep(0.01)
            found.append(time.perf_counter() - begun)
            process.wait()
    names = "engine.config, engine.presets, engine.events, engine.rundir, engine.schedules, engine.atomic"
    imports = [_python(f"import {names}") - _python("pass") for _ in range(7)]
    first, starred = np.median(found), 1e3 * np.median(imports)
    print(f"start: first step on the digits after {first:.1f} s; starred imports {starred:.0f} ms")


def _python(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
