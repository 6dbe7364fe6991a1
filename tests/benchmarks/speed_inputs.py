"""What the speed benchmarks measure on: images, networks, weights of a run."""

import argparse
import os
from typing import Any

import torch
from torch import nn

from engine.config.datasets import datasets
from engine.config.sections import ModelConfig
from engine.data.memory.batches import TestImages
from engine.data.memory.datasets import open_arrays
from engine.models.build import build_network
from engine.training.checkpoint import load_model

EPS, ALPHA, STEP, BATCH = 8 / 255, 10 / 255, 2 / 255, 128
FACTS = datasets()["cifar10"].facts


def network(width: int, device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    return build_network(ModelConfig(name="preact-resnet18", width=width), FACTS).to(device)


def cifar() -> Any:
    folder = os.environ.get("FASTADV_TEST_DATA")
    return open_arrays("cifar10", folder) if folder else None


def victim(options: argparse.Namespace) -> tuple[nn.Module, TestImages] | None:
    """Trained weights, and the first test images."""
    if not options.run or not (arrays := cifar()):
        print("left out: it needs trained weights (--run FOLDER) and $FASTADV_TEST_DATA")
        return None
    model = load_model(options.run).to(options.device)
    test = TestImages.load(arrays.test_images, arrays.test_labels, options.device)
    return model, test
