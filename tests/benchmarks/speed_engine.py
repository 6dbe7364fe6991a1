"""What the engine costs beside its network: overhead, events, start."""

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
import torch
from timing import counted, seconds

from engine.config.presets import build
from engine.protocol import event_log, events
from engine.protocol.provenance import engine_command
from engine.protocol.rundir import RunDir
from engine.protocol.submission import Submission
from engine.runtime.allocator import tune_allocator


def overhead(options: argparse.Namespace) -> None:
    """Time outside of forward, backward and optimizer over the steps of a real training."""
    from engine.training.trainer import Training

    tune_allocator()
    width = options.widths[0]
    with a_run({"model.width": width, "epochs": 1, "watch.images": 0}, options) as (rundir, writer, stop):
        if rundir is None:
            return
        training = Training(rundir.submission().config, rundir, writer, stop)
        learner, spent = training.learner, []
        training._announce(1, [])
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
        from engine.protocol.stop import StopRequest

        self.folder = tempfile.TemporaryDirectory()
        if not (where := os.environ.get("FASTADV_TEST_DATA")):
            print("left out: it needs $FASTADV_TEST_DATA")
            return None, None, None
        rundir = RunDir(Path(self.folder.name))
        device = "cpu" if self.device.type == "cpu" else f"cuda:{self.device.index or 0}"
        config = build("cifar", {**self.typed, "data_dir": where, "device": device})
        rundir.config.write_bytes(msgspec.json.encode(Submission(id="bench", submitted=0.0, config=config)))
        self.writer = event_log.Writer(rundir.events)
        return rundir, self.writer, StopRequest(rundir.stop_asked)

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


def event_writer(options: argparse.Namespace) -> None:
    """What an event costs, and what two a second are of the time."""
    with tempfile.TemporaryDirectory() as folder, event_log.Writer(Path(folder) / "events.jsonl") as writer:
        event = events.Step(step=1, epoch=0.1, lr=0.1, loss=2.0, accuracy=0.3, images_per_second=100.0, signal=0.1)
        each = seconds(lambda: [writer.write(event) for _ in range(1000)], torch.device("cpu")) / 1000
    print(f"events: {1e6 * each:.0f} µs each; two a second are {2 * each:.3%} of the time")


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
            while not any(isinstance(event, events.Step) for event in event_log.read(rundir.events)):
                time.sleep(0.01)
            found.append(time.perf_counter() - begun)
            process.wait()
    imports = [
        _python("import engine.config.presets, engine.protocol.event_log, engine.protocol.rundir") - _python("pass")
        for _ in range(7)
    ]
    first, starred = np.median(found), 1e3 * np.median(imports)
    print(f"start: first step on the digits after {first:.1f} s; starred imports {starred:.0f} ms")


def _python(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
    return time.perf_counter() - begun
