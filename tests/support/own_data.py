"""Small data sets of a user's own: arrays, and the files that hold them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Four = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]

FIFTEEN_LINES = '''\
"""Bright bars on dark ground: the place of the bar is the class."""

import numpy as np


def data():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 3
    images = np.zeros((400, 12, 10, 3))
    for image, label in zip(images, labels):
        image[4 * label : 4 * label + 4] = 150
    images = (images + rng.integers(0, 60, images.shape)).astype("uint8")
    return (images[:300], labels[:300]), (images[300:], labels[300:])
'''


def made_up(train: int = 12, test: int = 6, shape: tuple[int, ...] = (6, 5, 3), classes: int = 3) -> Four:
    """Random images (N, *shape) and labels that take turns."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (train + test, *shape), dtype=np.uint8)
    labels = np.arange(train + test) % classes
    return images[:train], labels[:train], images[train:], labels[train:]


def write_npz(path: Path, **changed: object) -> Four:
    """An npz file with made-up data, of which some arrays are changed, or left out with None."""
    four = made_up()
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), four, strict=True)) | changed
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items() if array is not None})  # type: ignore[arg-type]
    return four


def write_svhn(folder: Path, train: int = 12, test: int = 10) -> Four:
    """SVHN's files as MATLAB would write them: images (32, 32, 3, N), labels (N, 1) from 1 to 10."""
    from scipy.io import savemat

    folder.mkdir(parents=True, exist_ok=True)
    four = made_up(train, test, (32, 32, 3), 10)
    for name, images, labels in (("train", *four[:2]), ("test", *four[2:])):
        ones = np.where(labels == 0, 10, labels)[:, None].astype(np.uint8)
        savemat(folder / f"{name}_32x32.mat", {"X": np.moveaxis(images, 0, 3), "y": ones})
    return four


WNIDS = ("n01443537", "n01629819", "n02056570")


def write_tiny_imagenet(folder: Path, each: int = 3, val: int = 4) -> dict[str, int]:
    """Tiny-ImageNet's folders with plain grey images; returns the grey level by the name of the file."""
    levels: dict[str, int] = {}

    def save(path: Path, level: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB" if level % 2 else "L", (64, 64), (level,) * 3 if level % 2 else level).save(path, "JPEG")
        levels[path.name] = level

    for number, wnid in enumerate(WNIDS):
        for image in range(each):
            save(folder / "train" / wnid / "images" / f"{wnid}_{image}.JPEG", 20 + 60 * number + image)
        (folder / "train" / wnid / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t63\t63\n")
    lines = []
    for image in range(val):
        save(folder / "val" / "images" / f"val_{image}.JPEG", 200 + image)
        lines.append(f"val_{image}.JPEG\t{WNIDS[(image + 1) % 3]}\t0\t0\t63\t63\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    (folder / "wnids.txt").write_text("\n".join(reversed(WNIDS)))
    (folder / "test" / "images").mkdir(parents=True)
    return levels


def write_corruptions(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.int64], **changed: object) -> None:
    """CIFAR-10-C's layout: images of corruption c in severity s are darker by c + 10 s. changed: whole arrays."""
    from engine.data.memory.corruptions import CORRUPTIONS

    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(CORRUPTIONS):
        darker = [np.maximum(images.astype(int) - number - 10 * severity, 0) for severity in range(1, 6)]
        np.save(folder / f"{name}.npy", np.asarray(changed.get(name, np.concatenate(darker).astype(np.uint8))))
    np.save(folder / "labels.npy", np.asarray(changed.get("labels", np.tile(labels, 5))))
