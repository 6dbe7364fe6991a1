"""What several tests of the engine need: small models, tiny data in the official layouts, engine processes."""

import gzip
import os
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest
import torch
from helpers import make_run
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.config.facts import DATASETS
from engine.config.presets import build
from engine.config.sections import ModelConfig, OptimConfig
from engine.data.memory import datasets
from engine.data.memory.batches import TestImages, to_images
from engine.data.memory.datasets import open_arrays
from engine.evaluation.evaluation import Accuracy, Evaluation, Tick
from engine.models.build import build_network
from engine.plan.learning_rate import learning_rate
from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir
from engine.training import checkpoint
from engine.training.learner import Learner

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]
IMAGENET_SAMPLE = Path(os.environ.get("FASTADV_TEST_DATA", "/nowhere")) / "imagenet-sample"
needs_imagenet_sample = pytest.mark.skipif(
    not IMAGENET_SAMPLE.is_dir(), reason="needs imagenet-sample in $FASTADV_TEST_DATA"
)
EventKind = TypeVar("EventKind", bound=events.Event)
MNIST_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def digits_model(width: int = 4, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(ModelConfig(name="digits-cnn", width=width), DATASETS["digits"])


def make_learner(
    model: nn.Module | None = None, total_steps: int = 100, precision: str = "fp32", **optim: Any
) -> Learner:
    """A learner on a small model; its schedule is constant unless given."""
    settings: dict[str, Any] = {"schedule": "constant", "lr": 0.1} | optim
    chosen = OptimConfig(**settings)
    return Learner(
        model or digits_model(), chosen, lambda step: learning_rate(chosen, step, total_steps), CPU, precision
    )


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images in [0,1] (1437, 1, 8, 8) and labels, test images (360, 1, 8, 8) and labels."""
    arrays = open_arrays("digits", "")
    return (
        to_images(torch.from_numpy(arrays.train_images)),
        torch.from_numpy(arrays.train_labels),
        to_images(torch.from_numpy(arrays.test_images)),
        torch.from_numpy(arrays.test_labels),
    )


def evaluate(
    model: nn.Module, data: TestImages, threat: Threat, attack: Pgd, seed: int, tick: Tick = lambda done, total: None
) -> Accuracy:
    """An evaluation of one attack, searched for in fp32 and without a break."""
    return Evaluation(model, datasets, [(threat, attack)], seed).run(tick)[0]


class InDouble(nn.Module):
    """A model that computes in float64, so that no rounding depends on the batch; images and logits are float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.inner = model.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x.double())
        return logits.float()


def trained_digits(width: int = 8, updates: int = 150, noise: float = 0.1) -> nn.Module:
    """A digits model that has learned something, a little robust through noise."""
    images, labels, _, _ = digits()
    learner = make_learner(digits_model(width), name="adam", lr=3e-3, weight_decay=0.0)
    rng = torch.Generator().manual_seed(0)
    for _ in range(updates):
        chosen = torch.randint(len(images), (64,), generator=rng)
        noisy = images[chosen] + noise * (2 * torch.rand(64, 1, 8, 8, generator=rng) - 1)
        learner.update(noisy.clamp(0, 1), labels[chosen])
    return learner.model


def python2_pickle(content: Mapping[str, NDArray[np.uint8] | list[int] | str]) -> bytes:
    """A dictionary as Python 2 pickled it by protocol 2: its strings are bytes; no pickler of today writes that."""
    items = b"".join(_python2_string(key.encode()) + _python2_value(value) for key, value in content.items())
    return b"\x80\x02}(" + items + b"u."


def _python2_string(text: bytes) -> bytes:
    return (b"U" + bytes((len(text),)) if len(text) < 256 else b"T" + struct.pack("<i", len(text))) + text


def _python2_int(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _python2_value(value: NDArray[np.uint8] | list[int] | str) -> bytes:
    if isinstance(value, str):
        return _python2_string(value.encode())
    if isinstance(value, list):
        return b"](" + b"".join(map(_python2_int, value)) + b"e"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + 2 * _python2_int(-1) + b"K\x00tb"
    shape = b"(" + b"".join(map(_python2_int, value.shape)) + b"t"
    return empty + b"(K\x01" + shape + dtype + b"\x89" + _python2_string(value.tobytes()) + b"tb"


def write_cifar10(folder: Path, images: int = 4) -> tuple[NDArray[np.uint8], list[int]]:
    """CIFAR-10 in the official layout, a few images a file; returns all pixels (6 * images, 3072) and labels."""
    pixels = np.random.default_rng(0).integers(0, 256, (6 * images, 3072), dtype=np.uint8)
    labels = [n % 10 for n in range(6 * images)]
    inner = folder / "cifar-10-batches-py"
    inner.mkdir(parents=True)
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        part = slice(number * images, (number + 1) * images)
        content: dict[str, Any] = {
            "batch_label": name,
            "labels": labels[part],
            "data": pixels[part],
            "filenames": "a.png",
        }
        (inner / name).write_bytes(python2_pickle(content))
    return pixels, labels


def idx(array: NDArray[np.uint8]) -> bytes:
    """The idx format of MNIST."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder: Path, packed: bool, images: int = 6) -> NDArray[np.uint8]:
    """MNIST with so many training and test images each; returns all pixels, (2 * images, 28, 28)."""
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2 * images, 28, 28), dtype=np.uint8)
    labels = (np.arange(2 * images) % 10).astype(np.uint8)
    parts = (pixels[:images], labels[:images], pixels[images:], labels[images:])
    for name, part in zip(MNIST_FILES, parts, strict=True):
        path = folder / (name + ".gz" if packed else name)
        path.write_bytes(gzip.compress(idx(part)) if packed else idx(part))
    return pixels


def run_folder(path: Path, typed: Mapping[str, Any], dataset: str = "digits") -> RunDir:
    """The directory of a run on the CPU, small unless told otherwise."""
    small = {"device": "cpu", "model.width": 4, "epochs": 2, "eval.attack": "none", "watch.images": 60}
    return make_run(path, chosen=build(dataset, small | dict(typed)))


def environment() -> dict[str, str]:
    """One thread, our code, and no slot of a supervisor's."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("FASTADV_DEVICE", "FASTADV_HOME")}
    return inherited | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-P", "-m", "engine", *map(str, arguments)]


def start(rundir: RunDir) -> subprocess.Popen[bytes]:
    with rundir.log.open("ab") as log:
        return subprocess.Popen(
            command(rundir.path), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
        )


def finish(process: subprocess.Popen[bytes], timeout: float = 60) -> int:
    try:
        return process.wait(timeout)
    finally:
        process.kill()


def ask(*arguments: str, stdin: bytes = b"", **env: str) -> tuple[int, bytes, bytes]:
    """Exit code, standard output and standard error of one question to the engine."""
    answer = subprocess.run(command(*arguments), input=stdin, capture_output=True, env=environment() | env, timeout=60)
    return answer.returncode, answer.stdout, answer.stderr


def of_kind(rundir: RunDir, kind: type[EventKind]) -> list[EventKind]:
    return [event for event in event_log.read(rundir.events) if isinstance(event, kind)]


def without_clock(event: events.AnyEvent) -> bytes:
    """What an event says, apart from when."""
    return msgspec.json.encode(msgspec.structs.replace(event, t=0.0, elapsed=0.0))


def weights(rundir: RunDir, which: str = "last") -> dict[str, Any]:
    state: dict[str, Any] = checkpoint.load(rundir.path / f"{which}.pt")
    return state


def assert_same(one: Any, other: Any, path: str = "") -> None:
    """Bit by bit, through containers."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_same(one[key], other[key], f"{path}.{key}")
    else:
        assert one == other, path


def assert_same_end(one: RunDir, other: RunDir) -> None:
    """Weights, optimizer, carried perturbation, alarm and results; only the clock may differ."""
    assert_same(weights(one) | {"elapsed": 0}, weights(other) | {"elapsed": 0})
    assert_same(weights(one, "best")["model"], weights(other, "best")["model"])
    assert evaluations(one) == evaluations(other)


def evaluations(rundir: RunDir) -> list[bytes]:
    return [without_clock(event) for event in of_kind(rundir, events.Evaluated)]
