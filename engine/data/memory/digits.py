"""Read the 1,797 handwritten digits (8x8 pixels) that come with scikit-learn. They need no download."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.memory.arrays import Arrays

TEST_IMAGES = 360  # the last fifth, mostly by other writers than the training images
TABLE = Path("datasets", "data", "digits.csv.gz")  # 64 pixels and a label on each line


def read(folder: Path) -> Arrays:
    """Read the digits. `folder` is not used."""
    pixels, classes = _table()
    images = np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)  # the file stores 0 to 16
    labels = classes.astype(np.int64)
    return Arrays(
        images[:-TEST_IMAGES], labels[:-TEST_IMAGES], images[-TEST_IMAGES:], labels[-TEST_IMAGES:], official=True
    )


def _table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels, (1797, 64), and labels, from the library's file: importing scikit-learn takes longer than training."""
    spec = find_spec("sklearn")
    if spec is not None and spec.origin is not None and (path := Path(spec.origin).parent / TABLE).exists():
        table = np.loadtxt(path, delimiter=",")
        return table[:, :-1], table[:, -1]
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images, labels
