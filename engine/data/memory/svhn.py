"""Read SVHN's cropped digits in the official .mat files (Netzer et al., 2011, "Reading Digits in Natural Images")."""

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import DataError
from engine.config.plain_file import not_plain
from engine.data.memory.arrays import Arrays
from engine.data.memory.unreadable import short_reason

INNER = "svhn"
TRAIN, TEST = "train_32x32.mat", "test_32x32.mat"
MD5S = {  # checksums of the released files
    TRAIN: "e26dedcc434d2e4c54c9b2d4a06d8373",
    TEST: "eb5a983be6a315427106f1b164d9cef3",
}
REMEDY = "restore the official file (format 2, cropped digits)"
CLASSES = 10


def read(folder: Path) -> Arrays | None:
    """Read SVHN from `folder` or its subfolder `svhn`; None if no files are there. The digit 0 has the label 0.

    The official files give the digit 0 the label 10. Raises: DataError.
    """
    root = folder / INNER if (folder / INNER).is_dir() else folder
    if not any((root / name).exists() for name in MD5S):
        return None
    (train, train_labels, first), (test, test_labels, second) = _split(root / TRAIN), _split(root / TEST)
    return Arrays(train, train_labels, test, test_labels, official=first and second)


def _split(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], bool]:
    """Images (N, 32, 32, 3), labels (N,), and whether the file has the checksum of the release."""
    data = _content(path)
    content = _parsed(path, data)
    images, labels = content.get("X"), content.get("y")
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[:3] != (32, 32, 3):
        raise DataError(f"{path} is not an SVHN file: its X is not uint8 (32, 32, 3, N); {REMEDY}")
    if images.ndim != 4 or not images.shape[3]:
        raise DataError(f"{path} is not an SVHN file: its X has the shape {images.shape}, not (32, 32, 3, N); {REMEDY}")
    count = images.shape[3]
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iuf" or labels.shape != (count, 1):
        raise DataError(f"{path} is not an SVHN file: its y is not ({count}, 1) numbers; {REMEDY}")
    if not np.isin(labels, np.arange(1, CLASSES + 1)).all():
        raise DataError(f"{path} is not an SVHN file: labels must be 1 to 10; {REMEDY}")
    official = hashlib.md5(data, usedforsecurity=False).hexdigest() == MD5S[path.name]
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2)), labels[:, 0].astype(np.int64) % CLASSES, official


def _content(path: Path) -> bytes:
    try:
        if instead := not_plain(path):
            raise DataError(f"{path} is {instead}, not a file; {REMEDY}")
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} is missing; {REMEDY}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check its permissions") from None


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    """The variables X and y of a .mat file. The format cannot hold code."""
    from scipy.io import loadmat  # imported late: takes a third of a second

    try:
        content: dict[str, Any] = loadmat(BytesIO(data), variable_names=["X", "y"])
    except Exception as error:  # a damaged file can raise nearly anything
        raise DataError(f"{path} is damaged or no .mat file ({short_reason(error)}); {REMEDY}") from None
    return content
