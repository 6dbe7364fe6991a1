"""Mutated files of CIFAR and MNIST: the arrays are those of the files, or the files are refused."""

import gzip
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.labels import label_remarks
from engine.data.memory.arrays import Arrays
from engine.data.memory.datasets import arrays_fingerprint, open_arrays
from tests.support.fuzzing.byte_mutations import mutated
from tests.support.fuzzing.trial import Trial, WrongError
from tests.support.official_data import MNIST_FILES, idx, python2_pickle, write_cifar10, write_mnist

IMAGES = 6
CIFAR_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def cifar_trial(rng: Random, folder: Path) -> Trial:
    write_cifar10(folder, IMAGES)
    path = folder / "cifar-10-batches-py" / rng.choice(CIFAR_FILES)
    if rng.random() < 0.5:
        data, what = mutated(rng, _cifar_bytes(rng, _cifar_content()))
        path.write_bytes(data)
        refused = False
    else:
        what, refused = _structure(rng, path)
    return Trial(f"CIFAR: {what}", lambda: _read("cifar10", folder, refused), _command("cifar10", folder))


def mnist_trial(rng: Random, folder: Path) -> Trial:
    root, packed = folder / "MNIST" / "raw", rng.random() < 0.5
    write_mnist(root, packed, IMAGES)
    whole = open_arrays("mnist", str(folder))
    path = root / (rng.choice(MNIST_FILES) + (".gz" if packed else ""))
    if rng.random() < 0.7:
        data = path.read_bytes()
        data, what = mutated(rng, gzip.compress(gzip.decompress(data), mtime=0) if packed else data)
        path.write_bytes(data)
        expected = whole if packed else None  # gzip has a checksum
        return Trial(f"MNIST: {what}", lambda: _read("mnist", folder, False, expected), _command("mnist", folder))
    what, refused = _other_idx(rng, path)
    return Trial(f"MNIST: {what}", lambda: _read("mnist", folder, refused), _command("mnist", folder))


def _command(dataset: str, folder: Path) -> tuple[str, ...]:
    """A run that is refused at once, unless the data can be read: 1,000 images in a minibatch are too many."""
    return ("run", dataset, "--data-dir", str(folder), "--set", "batch_size=1000", "--eval", "none")


def _read(dataset: str, folder: Path, refused: bool, expected: Arrays | None = None) -> None:
    found = open_arrays(dataset, str(folder))
    label_remarks(found.train_labels, found.test_labels, 10)
    if refused:
        raise WrongError("the files were taken")
    if found.official:
        raise WrongError("made-up files are called official")
    for images, labels in ((found.train_images, found.train_labels), (found.test_images, found.test_labels)):
        if images.dtype != np.uint8 or labels.dtype != np.int64 or len(images) != len(labels):
            raise WrongError(f"arrays of {images.dtype} and {labels.dtype}, {len(images)} and {len(labels)} long")
    if expected is not None and arrays_fingerprint(found) != arrays_fingerprint(expected):
        raise WrongError("the arrays are not those that were packed")


# -- CIFAR --------------------------------------------------------------------------------------------------------


def _cifar_content() -> dict[str, Any]:
    pixels = np.arange(IMAGES * 3072, dtype=np.uint32).astype(np.uint8).reshape(IMAGES, 3072)
    return {"batch_label": "x", "labels": [n % 10 for n in range(IMAGES)], "data": pixels, "filenames": "a.png"}


def _cifar_bytes(rng: Random, content: dict[str, Any]) -> bytes:
    """A pickle of Python 2, or of Python 3 in any protocol."""
    protocol = rng.choice((0, 1, 2, 3, 4, 5, -1))
    if protocol == -1:
        return python2_pickle(content)
    return pickle.dumps({key.encode(): value for key, value in content.items()}, protocol)


def _structure(rng: Random, path: Path) -> tuple[str, bool]:
    """Write a content of another structure. Returns what it is, and whether it must be refused."""
    content = _cifar_content()
    pixels: NDArray[np.uint8] = content["data"]
    changes: dict[str, tuple[str, Any]] = {
        "labels that are floats": ("labels", [0.0] * IMAGES),
        "labels that are booleans": ("labels", [True] * IMAGES),
        "a label of 10": ("labels", [10] * IMAGES),
        "a label of -1": ("labels", [-1] * IMAGES),
        "a huge label": ("labels", [2**70] * IMAGES),
        "labels in an array": ("labels", np.arange(IMAGES)),
        "too few labels": ("labels", [1]),
        "no labels": ("labels", None),
        "pixels that are floats": ("data", pixels / 255),
        "pixels of another shape": ("data", pixels.reshape(-1)),
        "pixels of 3071 bytes": ("data", pixels[:, :-1]),
        "pixels in a list": ("data", pixels.tolist()),
        "pixels of objects": ("data", pixels.astype(object)),
        "no pixels": ("data", pixels[:0]),
    }
    kinds: dict[str, Callable[[], Any]] = {
        "a pipe": lambda: os.mkfifo(path),
        "a folder": lambda: path.mkdir(),
        "an endless file": lambda: path.symlink_to("/dev/zero"),
        "missing": lambda: None,
        "empty": lambda: path.write_bytes(b""),
        "a list": lambda: path.write_bytes(pickle.dumps([1, 2])),
        "code": lambda: path.write_bytes(b"cos\nsystem\n(S'true'\ntR."),
        "a large memo": lambda: path.write_bytes(b"\x80\x02}r" + struct.pack("<I", 2**30) + b"."),
    }
    what = rng.choice([*changes, *kinds])
    path.unlink()
    if what in kinds:
        kinds[what]()
    else:
        key, value = changes[what]
        content[key] = value
        path.write_bytes(pickle.dumps({name.encode(): part for name, part in content.items()}, rng.randrange(6)))
    return what, True


# -- MNIST --------------------------------------------------------------------------------------------------------


def _other_idx(rng: Random, path: Path) -> tuple[str, bool]:
    """Write an idx file of another structure. Returns what it is, and whether it must be refused."""
    images = "images" in path.name
    good = np.zeros((IMAGES, 28, 28) if images else (IMAGES,), np.uint8)
    huge = (2**31, 2**31, 4) if images else (2**32 - 1,)
    choices: dict[str, bytes] = {
        "sizes whose product overflows": bytes((0, 0, 8, len(huge))) + struct.pack(f">{len(huge)}I", *huge),
        "no elements": idx(good[:0]),
        "too few elements": idx(good)[:-1],
        "too many elements": idx(good) + b"\x00",
        "another number of dimensions": idx(good[None]),
        "floats": b"\x00\x00\x0d" + idx(good)[3:],
        "another number of images": idx(good[:-1]),
        "a label of 11": idx(good + np.uint8(11)),
    }
    what = rng.choice([*choices])
    content = choices[what]
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return what, not (images and what == "a label of 11")
