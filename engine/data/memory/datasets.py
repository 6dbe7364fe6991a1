"""Data sets as arrays in memory: found where they lie, downloaded where they do not, checked and fingerprinted."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.config.errors import ConfigError, DataError
from engine.config.facts import DATASETS
from engine.data.memory import cifar, digits, mnist
from engine.data.memory.arrays import Arrays
from engine.data.memory.download import download

HOLDOUT_SEED = 0
READERS: dict[str, Callable[[Path], Arrays | None]] = {
    "digits": digits.read,
    "mnist": mnist.read,
    "cifar10": cifar.read10,
    "cifar100": cifar.read100,
}


def open_arrays(dataset: str, data_dir: str, fetch: bool = False) -> Arrays:
    """The images and labels of a data set.

    dataset: a key of DATASETS; data_dir: the folder with the official layout in it; fetch: download what is missing.

    Raises: DataError, if the files are missing, damaged or not that data set.
    """
    folder = Path(data_dir)
    try:
        return _opened(dataset, folder, fetch)
    except OSError as error:  # a folder of somebody else's, a file system that is away
        raise DataError(f"cannot use {error.filename or folder} ({error.strerror}); name another --data-dir") from None


def _opened(dataset: str, folder: Path, fetch: bool) -> Arrays:
    if dataset != "digits" and not folder.is_dir():
        raise DataError(f"the data folder {folder} does not exist; create it, or name another with --data-dir")
    arrays = READERS[dataset](folder)
    if arrays is None and fetch:
        download(dataset, folder)
        arrays = READERS[dataset](folder)
    if arrays is None:
        raise DataError(f"no {dataset} in {folder}; {where(dataset)}")
    return _checked(arrays, dataset, folder)


def hold_out(arrays: Arrays, count: int) -> Arrays:
    """The data with `count` random training images, always the same, in place of the test images; all if 0.

    Settings that are chosen by these are not chosen by test images. Raises: ConfigError, if there are not so many.
    """
    if not count:
        return arrays
    if count >= len(arrays.train_labels):
        raise ConfigError(f"holdout = {count}: the data has only {len(arrays.train_labels)} training images")
    order = np.random.default_rng(HOLDOUT_SEED).permutation(len(arrays.train_labels))
    held, kept = order[:count], order[count:]
    images, labels = arrays.train_images, arrays.train_labels
    return Arrays(images[kept], labels[kept], images[held], labels[held], arrays.official)


def where(dataset: str) -> str:
    """Where the files of a data set belong."""
    place = {"mnist": "MNIST/raw/*-ubyte.gz", "cifar10": cifar.FOLDER10, "cifar100": cifar.FOLDER100}[dataset]
    return f"put {place} there (official layout), or try `fastadv run digits`, which needs no files"


def arrays_fingerprint(arrays: Arrays) -> str:
    """A hash of all pixels and labels, in order: equal exactly when the data are."""
    digest = hashlib.blake2b(digest_size=6)
    for array in (arrays.train_images, arrays.train_labels, arrays.test_images, arrays.test_labels):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _checked(arrays: Arrays, dataset: str, folder: Path) -> Arrays:
    facts = DATASETS[dataset]
    shape = (facts.height, facts.width, facts.channels)
    for images, labels in ((arrays.train_images, arrays.train_labels), (arrays.test_images, arrays.test_labels)):
        if images.shape[1:] != shape or len(images) != len(labels) or not len(labels):
            raise DataError(f"{folder} holds no {dataset}: images {images.shape}, labels {labels.shape}")
        if labels.min() < 0 or labels.max() >= facts.classes:
            raise DataError(f"{folder} holds no {dataset}: its labels go from {labels.min()} to {labels.max()}")
    return arrays
