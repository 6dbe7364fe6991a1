"""Images that are made up or embedded, and networks that learn them in seconds."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.attacks.threat import Threat
from engine.config.datasets import datasets
from engine.config.presets import build
from engine.config.run import RunConfig
from engine.config.sections import ModelConfig, OptimConfig
from engine.data.memory.batches import TestImages
from engine.data.memory.datasets import open_arrays
from engine.data.minibatch import Minibatch
from engine.models.build import build_network
from engine.runtime.rng import generator
from engine.training.learner import Learner
from engine.training.methods.step import step_of
from tests.gpu.registry import Machine
from tests.support.official_data import python2_pickle

Activation = Literal["relu", "silu", "gelu"]

EPS = 0.1  # of the attacks on the digits
BATCH = 64
CIFAR = "cifar-10-batches-py"  # folder of the official files
CONTRAST, NOISE = 60, 30  # of the made-up images, in pixel values


def device_of(machine: Machine) -> torch.device:
    return torch.device(machine.setting)


@cache
def digits(device: torch.device) -> tuple[TestImages, TestImages]:
    """The training images and the test images of the digits on a device."""
    found = open_arrays("digits", "")
    train = TestImages.load(found.train_images, found.train_labels, device)
    return train, TestImages.load(found.test_images, found.test_labels, device)


def made_up(count: int, size: int = 32, classes: int = 10) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (count, size, size, 3) and labels (count,). Each class is a pattern of coarse squares under noise.

    A network learns them in some dozen updates, and becomes robust to eps = 8/255.
    """
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 2, (classes, 4, 4, 3)).repeat(size // 4, 1).repeat(size // 4, 2)
    labels = np.arange(count) % classes
    noise = rng.integers(-NOISE, NOISE + 1, (count, size, size, 3))
    images = 128 + CONTRAST * (2 * patterns[labels] - 1) + noise
    return images.astype(np.uint8), labels.astype(np.int64)


def write_made_up_cifar(folder: Path, count: int) -> Path:
    """Write `count` made-up images as CIFAR-10 in the official layout, a sixth of them test images."""
    images, labels = made_up(count)
    inner = folder / CIFAR
    inner.mkdir(parents=True)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for name, some, of_some in zip(names, np.split(images, 6), np.split(labels, 6), strict=True):
        flat = np.ascontiguousarray(some.transpose(0, 3, 1, 2)).reshape(len(some), -1)
        content = {"batch_label": name, "labels": of_some.tolist(), "data": flat, "filenames": "a.png"}
        (inner / name).write_bytes(python2_pickle(content))
    return folder


def colour_images(machine: Machine, count: int) -> TestImages:
    """Made-up images on the device."""
    return TestImages.load(*made_up(count), device_of(machine))


def network(width: int, dataset: str = "digits", depth: int = 2, activation: Activation = "relu") -> nn.Module:
    """A residual network with its weights from seed 0."""
    torch.manual_seed(0)
    facts = datasets()[dataset].facts
    assert facts is not None
    config = ModelConfig(name="preact-resnet18", width=width, depth=depth, activation=activation)
    return build_network(config, facts)


def learner_for(
    machine: Machine, model: nn.Module, optim: OptimConfig, precision: str, total_steps: int = 100, **more: Any
) -> Learner:
    """A learner with a constant learning rate."""
    return Learner(model, optim, lambda step: optim.lr, device_of(machine), precision, total_steps=total_steps, **more)


def minibatches(images: TestImages, size: int = BATCH, seed: int = 0) -> Iterator[Minibatch]:
    """Random minibatches without an end."""
    rng = torch.Generator().manual_seed(seed)
    while True:
        chosen = torch.randint(len(images), (size,), generator=rng).to(images.labels.device)
        x, y = images[chosen]
        yield Minibatch(x, y, chosen)


def train(learner: Learner, config: RunConfig, images: TestImages, steps: int, size: int = BATCH) -> None:
    """Weight updates by the method of a run, on `steps` random minibatches of `size` images."""
    step, threat, delta = step_of(config), Threat(config.eps, config.norm), None
    for number, batch in zip(range(steps), minibatches(images, size), strict=False):
        for _ in range(config.updates_per_minibatch):
            rng = generator(learner.device, config.seed, "noise", number)
            delta = step(learner, batch.with_delta(delta), threat, rng)


@cache
def trained(machine: Machine) -> nn.Module:
    """A residual network on the digits, trained by FGSM in fp32 until it is somewhat robust."""
    optim = OptimConfig(name="adam", lr=5e-3, weight_decay=0.0)
    model = network(machine.size(16, 4), depth=machine.size(2, 1))
    learner = learner_for(machine, model, optim, "fp32")
    train(learner, build("digits", {"eps": EPS}), digits(learner.device)[0], machine.size(300, 80))
    return learner.model.eval()


def loss_on(model: nn.Module, images: TestImages, count: int = 256) -> float:
    """Mean cross-entropy of the first images, by the network in eval mode."""
    was_training = model.training
    x, y = images[torch.arange(min(count, len(images)), device=images.labels.device)]
    model.eval()
    with torch.no_grad():
        found = float(F.cross_entropy(model(x).float(), y))
    model.train(was_training)
    return found


def finite(tensors: Any) -> bool:
    """Whether all numbers in nested containers of tensors are finite."""
    if isinstance(tensors, Tensor):
        return bool(tensors.isfinite().all())
    if isinstance(tensors, dict):
        return all(map(finite, tensors.values()))
    return all(map(finite, tensors)) if isinstance(tensors, list | tuple) else True
