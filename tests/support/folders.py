"""Folders of made-up images."""

from pathlib import Path

import numpy as np
from PIL import Image

from engine.data.folder.batches import FolderBatches
from engine.data.folder.image_folder import ImageFolder
from tests.support.networks import CPU


def picture(path: Path, size: tuple[int, int] = (40, 30), mode: str = "RGB", seed: int = 0, **options: object) -> None:
    """Smooth noise, as a photo is smooth: what a decoder rounds must not decide a test."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)
    image.save(path, **{"format": "JPEG", "quality": 95} | options)


def tree(root: Path, classes: tuple[str, ...] = ("a", "b"), count: int = 3) -> Path:
    for split in ("train", "val"):
        for name in classes:
            for number in range(count):
                picture(root / split / name / f"{number}.JPEG", seed=number)
    return root


def batches(
    folder: Path, workers: int = 0, size: int = 4, rank: int = 0, world: int = 1, end: int | None = None
) -> FolderBatches:
    files = ImageFolder(folder).files("train", 0)
    return FolderBatches(*files, 16, size, 7, CPU, workers, rank, world, end)
