"""The facts of a data set in memory whose files alone tell them, and the augmentation that a run asks for."""

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from engine.config.datasets import DatasetFacts
from engine.config.run import RunConfig
from engine.data.memory.arrays import Arrays


def facts_from(arrays: Arrays) -> DatasetFacts:
    """The facts that the arrays tell. There is no augmentation: to mirror a digit or a letter may change its class.

    Mean and standard deviation are those of all training images, held-out ones included. A channel without any
    contrast has the standard deviation 1, because images are divided by it.
    """
    _, height, width, channels = arrays.train_images.shape
    mean, std = zip(*(_mean_and_std(arrays.train_images[..., channel]) for channel in range(channels)), strict=True)
    classes = int(arrays.train_labels.max()) + 1
    return DatasetFacts(channels, height, width, classes, len(arrays.train_labels), mean, std)


def augmented(facts: DatasetFacts, config: RunConfig) -> DatasetFacts:
    """The facts with the augmentation of a run: the settings `flip` and `crop_padding`, where they are not `auto`."""
    flip = facts.flip if config.flip == "auto" else config.flip == "on"
    padding = facts.padding if config.crop_padding is None else config.crop_padding
    return structs.replace(facts, flip=flip, padding=padding)


def _mean_and_std(pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean and standard deviation of pixels, scaled to [0,1], rounded as published ones are.

    They are computed from the counts of the 256 values, which is exact and needs no copy of the images as floats.
    """
    counts = sum(np.bincount(image.ravel(), minlength=256) for image in np.array_split(pixels, len(pixels) // 4096 + 1))
    shares, values = counts / pixels.size, np.arange(256) / 255
    mean = float(shares @ values)
    std = float(np.sqrt(shares @ (values - mean) ** 2))
    return round(mean, 4), round(std, 4) or 1.0
