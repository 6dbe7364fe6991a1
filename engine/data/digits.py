"""scikit-learn's 1,797 handwritten digits (8x8 pixels), which come with the library: no files, no network."""

from pathlib import Path

import numpy as np

from engine.data.arrays import Arrays

TEST_IMAGES = 360  # the last fifth: largely other writers than those of the training images


def read(folder: Path) -> Arrays:
    """The digits; `folder` is not used."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)  # stored as 0 to 16
    labels = labels.astype(np.int64)
    return Arrays(
        images[:-TEST_IMAGES], labels[:-TEST_IMAGES], images[-TEST_IMAGES:], labels[-TEST_IMAGES:], official=True
    )
