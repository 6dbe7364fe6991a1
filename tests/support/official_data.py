"""Tiny data sets in the official layouts."""

import gzip
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

IMAGENET_SAMPLE = Path(os.environ.get("FASTADV_TEST_DATA", "/nowhere")) / "imagenet-sample"
needs_imagenet_sample = pytest.mark.skipif(
    not IMAGENET_SAMPLE.is_dir(), reason="needs imagenet-sample in $FASTADV_TEST_DATA"
)
MNIST_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def python2_pickle(content: Mapping[str, NDArray[np.uint8] | list[int] | str]) -> bytes:
    """Pickle a dictionary as Python 2 did, with strings of bytes. No pickler of today writes this form."""
    items = b"".join(_python2_string(key.encode()) + _python2_value(value) for key, value in content.items())
    return b"\x80\x02}(" + items + b"u."


def _python2_string(text: bytes) -> bytes:
    return (b"U" + bytes((len(text),)) if len(text) < 256 else b"T" + struct.pack("<i", len(text))) + text


def _python2_int(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _python2_value(value: NDArray[np.uint8] | list[int] | str) -> bytes:
    if isinstance(value, str):
        return _python2_string(value.encode())
    if isinstance(value, list):
        return b"](" + b"".join(map(_python2_int, value)) + b"e"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + 2 * _python2_int(-1) + b"K\x00tb"
    shape = b"(" + b"".join(map(_python2_int, value.shape)) + b"t"
    return empty + b"(K\x01" + shape + dtype + b"\x89" + _python2_string(value.tobytes()) + b"tb"


def write_cifar10(folder: Path, images: int = 4) -> tuple[NDArray[np.uint8], list[int]]:
    """CIFAR-10 in the official layout, a few images a file; returns all pixels (6 * images, 3072) and labels."""
    pixels = np.random.default_rng(0).integers(0, 256, (6 * images, 3072), dtype=np.uint8)
    labels = [n % 10 for n in range(6 * images)]
    inner = folder / "cifar-10-batches-py"
    inner.mkdir(parents=True)
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        part = slice(number * images, (number + 1) * images)
        content: dict[str, Any] = {
            "batch_label": name,
            "labels": labels[part],
            "data": pixels[part],
            "filenames": "a.png",
        }
        (inner / name).write_bytes(python2_pickle(content))
    return pixels, labels


def idx(array: NDArray[np.uint8]) -> bytes:
    """An array in the idx format of MNIST."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder: Path, packed: bool, images: int = 6) -> NDArray[np.uint8]:
    """MNIST with so many training and test images each; returns all pixels, (2 * images, 28, 28)."""
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2 * images, 28, 28), dtype=np.uint8)
    labels = (np.arange(2 * images) % 10).astype(np.uint8)
    parts = (pixels[:images], labels[:images], pixels[images:], labels[images:])
    for name, part in zip(MNIST_FILES, parts, strict=True):
        path = folder / (name + ".gz" if packed else name)
        path.write_bytes(gzip.compress(idx(part)) if packed else idx(part))
    return pixels
