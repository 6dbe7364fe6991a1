"""Read CIFAR-10-C and CIFAR-100-C in the official layout (Hendrycks and Dietterich, 2019, arXiv 1903.12261).

The folder has an array NAME.npy for each corruption and labels.npy. An array holds the test images five times, from
severity 1 to severity 5.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config.datasets import DatasetFacts
from engine.config.errors import DataError
from engine.config.plain_file import not_plain
from engine.data.memory.unreadable import UNREADABLE, short_reason

# The 15 of the benchmark. The official folder has four more, which are meant for the choice of settings.
CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "snow",
    "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip
SEVERITIES = 5
LABELS = "labels.npy"
REMEDY = "unpack the official CIFAR-10-C.tar or CIFAR-100-C.tar again"
SAMPLES, SAMPLE_BYTES = 16, 1 << 16  # parts of each file that the fingerprint covers

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Corruptions:
    """Corrupted test images, which stay on the disk and are mapped into memory.

    arrays: by corruption, uint8, (5 N, H, W, C). labels: int64, (N,), the same for each severity.
    fingerprint: 12 hexadecimal digits.
    """

    arrays: dict[str, Pixels]
    labels: NDArray[np.int64]
    fingerprint: str

    def __len__(self) -> int:
        """The number N of images of each corruption and severity."""
        return len(self.labels)

    def images(self, corruption: str, severity: int) -> Pixels:
        """The images of a corruption in a severity from 1 to 5: uint8, (N, H, W, C)."""
        return self.arrays[corruption][(severity - 1) * len(self) : severity * len(self)]


def open_corruptions(folder: Path, facts: DatasetFacts) -> Corruptions:
    """Open the 15 corruptions in a folder. facts: of the data set that the network was trained on.

    Raises: DataError, if a file is missing or damaged, or fits neither the others nor the facts.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; name the one with {LABELS} and {CORRUPTIONS[0]}.npy")
    labels = _labels(folder / LABELS, facts.classes)
    shape = (SEVERITIES * len(labels), facts.height, facts.width, facts.channels)
    arrays = {name: _pixels(folder / f"{name}.npy", shape) for name in CORRUPTIONS}
    return Corruptions(arrays, labels, _fingerprint(labels, arrays))


def _labels(path: Path, classes: int) -> NDArray[np.int64]:
    """The labels of the test images, (N,). Raises: DataError."""
    found = _mapped(path)
    if found.dtype.kind not in "iu" or found.ndim != 1 or not len(found) or len(found) % SEVERITIES:
        raise DataError(
            f"{path} is {found.dtype} {found.shape}; it must be integers, five times as many as there are test images; "
            f"{REMEDY}"
        )
    labels: NDArray[np.int64] = np.array(found, np.int64).reshape(SEVERITIES, -1)
    if (labels != labels[0]).any():
        raise DataError(f"{path}: the labels of the five severities differ; {REMEDY}")
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"{path} has labels from {labels.min()} to {labels.max()}, but the network has {classes} classes; name the "
            "corruptions of its data set"
        )
    first: NDArray[np.int64] = labels[0]
    return first


def _pixels(path: Path, shape: tuple[int, ...]) -> Pixels:
    found = _mapped(path)
    if found.dtype != np.uint8 or found.shape != shape:
        raise DataError(f"{path} is {found.dtype} {found.shape}; it must be uint8 {shape}; {REMEDY}")
    return found


def _mapped(path: Path) -> NDArray[Any]:
    """An array of a file, mapped into memory. Nothing is unpickled."""
    try:
        if instead := not_plain(path):
            raise DataError(f"{path} is {instead}, not a file; {REMEDY}")
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except DataError:  # a ValueError, and so among the UNREADABLE
        raise
    except FileNotFoundError:
        raise DataError(f"{path} is missing; {REMEDY}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    except UNREADABLE as error:  # also for Python objects
        raise DataError(f"{path} is no array of numbers ({short_reason(error)}); {REMEDY}") from None
    return array


def _fingerprint(labels: NDArray[np.int64], arrays: dict[str, Pixels]) -> str:
    """A hash of the labels, and of 16 parts of each array: to hash 2.3 GB would take as long as an evaluation."""
    digest = hashlib.blake2b(labels.tobytes(), digest_size=6)
    for name, array in arrays.items():
        flat = array.reshape(-1)
        digest.update(f"{name} {array.shape}".encode())
        for begin in np.linspace(0, max(flat.size - SAMPLE_BYTES, 0), SAMPLES).astype(int):
            digest.update(flat[begin : begin + SAMPLE_BYTES].tobytes())
    return digest.hexdigest()
