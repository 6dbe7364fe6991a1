"""The check of image folders: how fast images are decoded, in which order, and with how much shared memory."""

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from engine.config.presets import build
from engine.config.run import RunConfig
from engine.data.dataset import Batches, open_dataset
from engine.protocol import events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from tests.gpu.checks_runs import relative_difference
from tests.gpu.networks import device_of
from tests.gpu.registry import Findings, Machine, check
from tests.gpu.runs import of_kind
from tests.support.folders import picture
from tests.support.runs import make_run
from tests.support.training import train

SHARED_MEMORY = Path("/dev/shm")  # small in containers


@check(
    21,
    "image folders",
    seconds=40,
    cpu_seconds=5,
    on_cpu="the same with 200 small images and one process that decodes",
)
def folders(machine: Machine, findings: Findings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = _pictures(Path(folder, "pictures"), machine)
        config = _config(root, machine)
        dataset = open_dataset(config)
        phases = [dataset.filled(phase) for phase in config.phase_list]
        batches = dataset.batches(phases[-1], config.seed, device_of(machine))
        alone = _speed(findings, batches, dataset.train_images)
    if machine.gpu:
        findings.info("pinned memory, most", _pinned() / 1e6, " MB")
        _compare_order(findings, batches)
        whole, cut = (make_run(Path(folder, name), chosen=config) for name in ("whole", "cut"))
        train(whole)
        training = max(step.images_per_second for step in of_kind(whole, events.Step))
        findings.info("images a second, training", training)
        if machine.gpu and not machine.small:
            findings.slow_below("decoding / training, images a second", alone / training, 1.2)
        _stop_in_second_phase(findings, cut, whole)
        if not machine.gpu:  # a GPU may add in another order each time
            findings.at_most("difference of the weights, resumed and not", relative_difference(whole, cut), 0)


def _pictures(root: Path, machine: Machine) -> Path:
    """Smooth noise in two classes: 2,000 images, or 200."""
    size = (256, 192) if not machine.small else (40, 30)
    for split, count in {"train": machine.size(800, 80), "val": machine.size(200, 20)}.items():
        for name in ("a", "b"):
            for number in range(count):
                picture(root / split / name / f"{number}.JPEG", size, seed=number)
    return root


def _config(root: Path, machine: Machine) -> RunConfig:
    phases = "0-1:0/16:40 1-2:0/20:40 2-3:0/24:32" if machine.small else "0-1:0/96:128 1-2:0/128:128 2-3:0/160:64"
    net: dict[str, Any] = {"model.name": "resnet18"}
    if machine.small:
        net = {"model.name": "preact-resnet18", "model.width": 2, "model.depth": 1}
    given = {"phases": phases, "epochs": 3, "watch.images": 0, "eval.attack": "none", "device": machine.setting}
    return build(f"imagefolder:{root}", net | given)


def _speed(findings: Findings, batches: Batches, images: int) -> float:
    """Decode one epoch whose first minibatch does not count. Returns images a second."""
    before, most = _shared_memory(), 0
    stream = batches.epoch(0)
    first = len(next(stream))
    begun = time.monotonic()
    for _ in stream:
        most = max(most, _shared_memory() - before)
    found = (images - first) / (time.monotonic() - begun)
    findings.info("images a second, decoding alone", found)
    findings.at_most("shared memory in /dev/shm", most / 1e6, 64, " MB")
    return found


def _shared_memory() -> int:
    """Bytes in use in /dev/shm; 0 where there is none."""
    if not SHARED_MEMORY.is_dir():
        return 0
    found = os.statvfs(SHARED_MEMORY)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _pinned() -> int:
    """Most bytes of main memory that CUDA has pinned; 0 if torch does not say."""
    told = getattr(torch.cuda, "host_memory_stats", None)  # since torch 2.7
    return int(told().get("allocated_bytes.peak", 0)) if told is not None else 0


def _compare_order(findings: Findings, batches: Batches) -> None:
    """The rest of an epoch must be the same in a run that begins in its middle."""
    whole = list(batches.epoch(1))
    late = len(whole) // 2
    rest = list(batches.epoch(1, late))
    same = all(torch.equal(one.index, other.index) for one, other in zip(whole[late:], rest, strict=True))
    findings.holds("a resumed epoch has the same order", same)
    pixels = max(float((one.x - other.x).abs().max()) for one, other in zip(whole[late:], rest, strict=True))
    findings.at_most("difference of its images", pixels, 0)
    every = [number for batch in whole for number in batch.index.tolist()]
    findings.equal("images that an epoch has twice", len(every) - len({*every}), 0)


def _stop_in_second_phase(findings: Findings, cut: RunDir, whole: RunDir) -> None:
    first, second, _ = of_kind(whole, events.Started)[0].stretches
    steps = first.steps_per_epoch + second.steps_per_epoch // 2
    with suppress(Stopped):
        train(cut, looks=steps)  # one look before each update
    train(cut, attempt=2)
    total = of_kind(whole, events.Started)[0].total_steps
    starts = [started.from_step for started in of_kind(cut, events.Started)]
    findings.holds("stopped in the second phase", first.steps_per_epoch < starts[-1] < total, f"step {starts[-1]}")
    findings.equal("steps of the resumed run", of_kind(cut, events.Step)[-1].step, total)
