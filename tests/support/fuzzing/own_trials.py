"""Mutated files of own data sets, SVHN and corrupted images: arrays of the right form, or the files are refused."""

from pathlib import Path
from random import Random

import numpy as np

from engine.config.datasets import DatasetFacts
from engine.data.memory.corruptions import open_corruptions
from engine.data.memory.datasets import open_arrays
from tests.support.fuzzing.byte_mutations import mutated
from tests.support.fuzzing.trial import Trial, WrongError
from tests.support.own_data import made_up, write_corruptions, write_npz, write_svhn

FACTS = DatasetFacts(3, 8, 8, 3, 10, (0.0,), (1.0,))
REFUSED = (
    "--set",
    "batch_size=1000",
    "--eval",
    "none",
)  # a run that starts would be too much: no data has 1,000 images


def own_trial(rng: Random, folder: Path) -> Trial:
    kind = rng.choice(("npz", "svhn", "corruptions"))
    if kind == "npz":
        path, dataset = folder / "a.npz", f"npz:{folder / 'a.npz'}"
        write_npz(path)
    elif kind == "svhn":
        path, dataset = folder / rng.choice(("train_32x32.mat", "test_32x32.mat")), "svhn"
        write_svhn(folder, 4, 4)
    else:
        images, labels, *_ = made_up(4, shape=(8, 8, 3))
        write_corruptions(folder, images, labels)
        path, dataset = folder / f"{rng.choice(('fog', 'labels'))}.npy", ""
    data, what = mutated(rng, path.read_bytes())
    path.write_bytes(data)
    command = ("run", dataset, "--data-dir", str(folder), *REFUSED) if dataset else ("doctor",)
    return Trial(f"{kind}: {what}", lambda: _read(dataset, folder), command)


def _read(dataset: str, folder: Path) -> None:
    if not dataset:
        data = open_corruptions(folder, FACTS)
        found = data.images("fog", 5), data.labels
        splits = [found]
    else:
        arrays = open_arrays(dataset, str(folder))
        if arrays.official:
            raise WrongError("made-up files are called official")
        splits = [(arrays.train_images, arrays.train_labels), (arrays.test_images, arrays.test_labels)]
    for images, labels in splits:
        if images.dtype != np.uint8 or images.ndim != 4 or labels.dtype != np.int64 or len(images) != len(labels):
            raise WrongError(f"{images.dtype} {images.shape} and {labels.dtype} {labels.shape}")
        if labels.min() < 0:
            raise WrongError(f"a label of {labels.min()}")
