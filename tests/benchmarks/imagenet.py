"""The ImageNet recipe in its full shape, a few steps of each phase: `python tests/benchmarks/imagenet.py FOLDER`.

FOLDER holds train/CLASS/FILE and val/CLASS/FILE of at least 512 training images. ResNet-50, crops and minibatches are
those of `wong2020-imagenet`, computed in parts; one epoch stands for each stretch of them. Prints operations, seconds
and peak memory of each phase, and what the whole recipe would cost on the true data set.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import torch
from timing import resident

from engine.config.datasets import DatasetFacts
from engine.config.phases import Phase, format_phases, parse
from engine.config.presets import build
from engine.data.folder.dataset import MEAN, STD
from engine.models.flops import count_crops
from engine.plan.cost import training_flops
from engine.plan.timeline import Timeline
from engine.protocol.events import Evaluated, Started, Step
from engine.protocol.rundir import RunDir
from fastadv_tui.launch.submission import configure
from fastadv_tui.runs import state
from fastadv_tui.runs.create import create_run

IMAGES = 512  # one minibatch of the first phase
TRUE_IMAGES, TRUE_CLASSES = 1_281_167, 1000
GPU, GPU_FLOPS, GPU_SHARE = "A100 (bf16, 312 TFLOP/s)", 312e12, 0.2  # the share is a guess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--micro-batch", type=int, default=16)
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}")
    whole()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FASTADV_HOME"] = folder
        few(given.folder.absolute(), Path(folder) / "few")
        prepare(Path(folder) / "few")
        dry_run(given.micro_batch)


def whole() -> None:
    """The recipe on the true data, in operations; and in hours on a named GPU, as an estimate."""
    config = build("imagenet")
    passes = count_crops(config, DatasetFacts(3, 224, 224, TRUE_CLASSES, TRUE_IMAGES, MEAN, STD))
    flops = training_flops(config, passes, TRUE_IMAGES)
    hours = flops / (GPU_FLOPS * GPU_SHARE) / 3600
    print(f"whole recipe: {flops / 1e18:.2f} EFLOP; ESTIMATE at {GPU_SHARE:.0%} of an {GPU}: {hours:.0f} h on one")


def few(source: Path, target: Path) -> None:
    """Links to so many training images, of all classes alike, and to all test images."""
    classes = sorted(entry.name for entry in (source / "train").iterdir())
    for number, name in enumerate(classes):
        for split in ("train", "val"):
            (target / split / name).mkdir(parents=True)
        share = IMAGES // len(classes) + (number < IMAGES % len(classes))
        for split, count in (("train", share), ("val", None)):
            for path in sorted((source / split / name).iterdir())[:count]:
                (target / split / name / path.name).symlink_to(path.resolve())


def prepare(source: Path) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "fastadv_tui",
        "prepare",
        "imagenet",
        str(source),
        "--sizes",
        "160,352",
    ]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def dry_run(micro_batch: int) -> None:
    """Train and evaluate in an engine of its own, and watch its memory."""
    phases = [
        Phase(n, n + 1, p.size, p.crop, p.batch_size, p.lr) for n, p in enumerate(parse(build("imagenet").phases))
    ]
    typed = {
        "phases": format_phases(tuple(phases)),
        "micro_batch": str(micro_batch),
        "watch.images": "16",
        "eval.images": "16",
        "eval.attack": "pgd-50-10",
    }
    rundir = create_run(configure("imagenet", typed), sys.argv)
    engine = subprocess.Popen([sys.executable, "-P", "-m", "engine", str(rundir.path)])
    peaks = _watch(engine, rundir)
    known = state.load(rundir)
    if known.finished is None or known.finished.status != "done":
        sys.exit(f"the engine ended with {engine.returncode}: {known.finished}")
    _report(known, peaks)


def _watch(engine: "subprocess.Popen[bytes]", rundir: RunDir) -> dict[int, int]:
    """The most memory of the engine and its workers by the phase that was on, in bytes."""
    peaks: dict[int, int] = {}
    process, done = psutil.Process(engine.pid), threading.Event()
    while engine.poll() is None:
        known = state.load(rundir)
        if known.timeline is not None:
            place = known.timeline.stretches.index(known.timeline.at(known.step))
            peaks[place] = max(peaks.get(place, 0), resident(process))
        done.wait(0.5)
    engine.wait()
    return peaks


def _report(known: state.RunState, peaks: dict[int, int]) -> None:
    timeline = known.timeline
    assert isinstance(timeline, Timeline)
    assert isinstance(known.started, Started)
    ends = {timeline.at(step.step - 1).first_step: step for step in known.steps if isinstance(step, Step)}
    for place, stretch in enumerate(timeline.stretches):
        phase, last = stretch.phase, ends[stretch.first_step]
        each = stretch.flops / known.started.train_images / 1e9
        print(
            f"epochs {phase.begin}-{phase.end}: source {phase.size or 'full'}, crop {phase.crop}, batch "
            f"{phase.batch_size}: {stretch.steps} steps, {each:.1f} GFLOP an image, loss {last.loss:.2f}, peak "
            f"{peaks.get(place, 0) / 1e9:.1f} GB"
        )
    final = known.final[-1]
    assert isinstance(final, Evaluated)
    print(f"evaluated: {final.attack} on {final.images} images, clean {final.clean:.1%}, robust {final.robust:.1%}")


if __name__ == "__main__":
    main()
