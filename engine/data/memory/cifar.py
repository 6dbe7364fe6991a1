"""Read CIFAR-10 and CIFAR-100 in the official layout for Python (Krizhevsky, 2009)."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import DataError
from engine.data.memory.arrays import Arrays
from engine.data.memory.safe_pickle import load

FOLDER10, FOLDER100 = "cifar-10-batches-py", "cifar-100-python"
TEST10 = "test_batch"
MD5S = {  # checksums of the released files
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
}


def read10(folder: Path) -> Arrays | None:
    """Read CIFAR-10 from `folder` or its subfolder FOLDER10; None if no files are there. Raises: DataError."""
    return _read(folder, FOLDER10, [f"data_batch_{n}" for n in range(1, 6)], TEST10, b"labels")


def read100(folder: Path) -> Arrays | None:
    """Read CIFAR-100 with its fine labels from `folder` or its subfolder FOLDER100; None if no files are there.

    Raises: DataError.
    """
    return _read(folder, FOLDER100, ["train"], "test", b"fine_labels")


def _read(folder: Path, inner: str, train: list[str], test: str, labels_key: bytes) -> Arrays | None:
    root = folder if (folder / train[0]).is_file() else folder / inner
    if not root.is_dir():
        return None
    whole = f"the files of the data set in {folder}" if root == folder else str(root)
    remedy = f"restore this file, or remove {whole}: fastadv then downloads all files again"
    parts = [_batch(root / name, labels_key, remedy) for name in [*train, test]]
    *train_parts, (test_images, test_labels, _) = parts
    return Arrays(
        np.concatenate([images for images, _, _ in train_parts]),
        np.concatenate([labels for _, labels, _ in train_parts]),
        test_images,
        test_labels,
        official=all(is_official for _, _, is_official in parts),
    )


def _batch(path: Path, labels_key: bytes, remedy: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], bool]:
    """Images (N, 32, 32, 3), labels (N,), and whether the file has the checksum of the release.

    remedy: the end of the error messages.
    """
    content, data = load(path, remedy)
    images, labels = content.get(b"data"), content.get(labels_key)
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != 3072:
        raise DataError(f"{path} is not a CIFAR file: its `data` is not an array of 3,072 bytes per image; {remedy}")
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < 100 for label in labels):
        raise DataError(f"{path} is not a CIFAR file: its `{labels_key.decode()}` is not a list of labels; {remedy}")
    if len(labels) != len(images):
        raise DataError(f"{path} is damaged: {len(images):,} images, {len(labels):,} labels; {remedy}")
    official = hashlib.md5(data, usedforsecurity=False).hexdigest() == MD5S[path.name]
    return images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(labels, dtype=np.int64), official
