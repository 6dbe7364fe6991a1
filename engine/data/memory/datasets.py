"""Open a data set as arrays in memory: read its files or download them, check them, and fingerprint the arrays."""

import hashlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from engine.config.datasets import USER_FUNCTION, DatasetSpec, own_prefix, spec_of
from engine.config.errors import ConfigError, DataError
from engine.data.memory.arrays import Arrays
from engine.data.memory.download import download
from engine.data.memory.user_function import read_function

HOLDOUT_SEED = 0
Reader = Callable[[Path], Arrays | None]  # takes the data folder; returns None if the files are not there
OwnReader = Callable[[str], Arrays]  # takes the path in the name of a data set of the user


def open_arrays(dataset: str, data_dir: str, fetch: bool = False, code: str = "", folder: Path | None = None) -> Arrays:
    """The images and labels of a data set.

    dataset: the full name of a data set in memory. data_dir: the folder that holds its files in the official layout;
    not used for data sets of the user, whose names hold a path. fetch: whether to download missing files. code, folder:
    for a function of the user, as for `read_function`.

    Raises: DataError, if the files are missing, damaged or of another data set; ConfigError, if the name is unknown.
    """
    spec, data = spec_of(dataset), Path(data_dir)
    if spec is USER_FUNCTION:
        return read_function(dataset, code, folder)
    if spec.own:
        read_own: OwnReader = reader_of(spec)
        return read_own(dataset.removeprefix(own_prefix(dataset)))
    try:
        return _opened(spec, data, fetch)
    except OSError as error:  # missing rights, or a file system that is not mounted
        raise DataError(f"cannot use {error.filename or data} ({error.strerror}); name another --data-dir") from None


def _opened(spec: DatasetSpec, folder: Path, fetch: bool) -> Arrays:
    if spec.files and not folder.is_dir():
        raise DataError(f"the data folder {folder} does not exist; create it, or name another with --data-dir")
    read: Reader = reader_of(spec)
    arrays = read(folder)
    if arrays is None and fetch and spec.download:
        download(spec, folder)
        arrays = read(folder)
    if arrays is None:
        raise DataError(f"no {spec.name} in {folder}; {where_files_belong(spec)}")
    return _checked(arrays, spec.name, folder)


def reader_of(spec: DatasetSpec) -> Any:
    """The function that reads the files of a data set: an OwnReader if the data set is the user's, else a Reader."""
    module, _, function = spec.reader.partition(":")
    return getattr(import_module(module), function)


def hold_out(arrays: Arrays, count: int) -> Arrays:
    """Move `count` random training images into the test set, and drop the real test images. If 0, nothing changes.

    The held-out images are always the same. Use them to choose settings. The real test images then stay unused until a
    final evaluation without `holdout`. Raises: ConfigError, if there are not more than `count` training images.
    """
    if not count:
        return arrays
    if count >= len(arrays.train_labels):
        total = len(arrays.train_labels)
        raise ConfigError(f"holdout = {count}: the data has only {total} training images; use at most {total - 1}")
    order = np.random.default_rng(HOLDOUT_SEED).permutation(len(arrays.train_labels))
    held, kept = order[:count], order[count:]
    images, labels = arrays.train_images, arrays.train_labels
    return Arrays(images[kept], labels[kept], images[held], labels[held], arrays.official)


def where_files_belong(spec: DatasetSpec) -> str:
    """An instruction for the user: where the files of a data set belong."""
    return f"put {spec.files} there (official layout), or try `fastadv run digits`, which needs no files"


def arrays_fingerprint(arrays: Arrays) -> str:
    """A hash of all pixels and labels, in order. Equal data have equal hashes, other data another hash."""
    digest = hashlib.blake2b(digest_size=6)
    for array in (arrays.train_images, arrays.train_labels, arrays.test_images, arrays.test_labels):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _checked(arrays: Arrays, dataset: str, folder: Path) -> Arrays:
    facts = spec_of(dataset).facts
    if facts is None:  # the reader has checked them
        return arrays
    shape = (facts.height, facts.width, facts.channels)
    remedy = "choose another data set or --data-dir"
    for images, labels in ((arrays.train_images, arrays.train_labels), (arrays.test_images, arrays.test_labels)):
        if images.shape[1:] != shape or len(images) != len(labels) or not len(labels):
            raise DataError(
                f"the files in {folder} are not {dataset}: images {images.shape}, labels {labels.shape}; {remedy}"
            )
        if labels.dtype.kind not in "iu":
            kind = f"labels of the type {labels.dtype}, not integers"
            raise DataError(f"the files in {folder} are not {dataset}: {kind}; {remedy}")
        if labels.min() < 0 or labels.max() >= facts.classes:
            raise DataError(
                f"the files in {folder} are not {dataset}: labels from {labels.min()} to {labels.max()}; {remedy}"
            )
    return arrays
