"""The arrays that every reader of a data set returns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Arrays:
    """A data set in memory.

    Images: uint8, (N, height, width, channels). Labels: int64, (N,).
    official: whether every file has the checksum of the release; None where no checksums are published.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    official: bool | None
