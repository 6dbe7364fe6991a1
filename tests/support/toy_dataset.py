"""A data set in one file, as somebody else would add it: dark and bright squares of 8x8 pixels, with a little noise."""

from pathlib import Path
from typing import Any

from engine.config.datasets import DatasetFacts, DatasetSpec


def read(folder: Path) -> Any:
    import numpy as np

    from engine.data.memory.arrays import Arrays

    rng = np.random.default_rng(0)
    labels = np.arange(120, dtype=np.int64) % 2
    images = (60 + 120 * labels[:, None, None, None] + rng.integers(-40, 41, (120, 8, 8, 1))).astype(np.uint8)
    return Arrays(images[:80], labels[:80], images[80:], labels[80:], official=True)


DATASET = DatasetSpec(
    name="toy-squares",
    summary="dark and bright squares",
    preset="digits",
    aliases=("squares",),
    facts=DatasetFacts(1, 8, 8, 2, 80, (0.5,), (0.5,)),
    reader="tests.support.toy_dataset:read",
)
