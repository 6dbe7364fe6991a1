"""Whole runs on a tenth of the digits."""

from typing import Any

import pytest

from engine.data.memory import digits
from tests.support.training import few_digits

ALWAYS = 1e-9  # a value of checkpoint_minutes that saves after every update
CROPS = {"micro_batch": 16, "model.name": "preact-resnet18", "model.width": 2, "model.depth": 1}  # takes 6 pixels, too
METHODS: dict[str, dict[str, Any]] = {
    "standard": {"method.name": "standard"},
    "random": {},
    "previous": {"method.init": "previous", "optim.name": "sgd", "optim.lr": 0.05},
    "pgd": {"method.name": "pgd", "method.steps": 2},
    "free": {"method.name": "free", "method.replays": 3},
    "l2": {"norm": "l2", "eps": 0.8, "method.init": "previous"},
    "extra": {"extra_data": "extra.npz"},  # of the folder of the test
    "sora": {"method.name": "sora", "micro_batch": 16},
    "nuat": {"method.name": "nuat"},
    "liet": {"method.name": "liet", "method.table_steps": 3},
    "fgsm-uap": {"method.name": "fgsm-uap", "phases": "0-1:0/6:40 1-2:0/8:30", **CROPS},
    "phases": {"method.init": "previous", "phases": "0-1:0/6:40 1-2:0/8:30", **CROPS},
}
FEW = {
    "batch_size": 40,
    "epochs": 2,
    "watch.images": 40,
    "watch.steps": 1,
    "eval.attack": "pgd-1-2",
    "eval.images": 40,
}


def train_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train on few images, and do not wait for the disk."""
    monkeypatch.setattr(digits, "read", lambda folder: few_digits())
    monkeypatch.setattr("engine.protocol.files.os.fsync", lambda handle: None)
