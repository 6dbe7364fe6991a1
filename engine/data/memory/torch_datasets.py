"""Turns a torch dataset of images into arrays."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.config.errors import DataError

GREY = ("1", "L")  # modes of Pillow's images with one channel of at most 8 bits


class Items(Protocol):
    """A torch dataset that knows its length, or anything else with numbered items."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Any: ...


def arrays_of(place: str, split: str, dataset: Items) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images and labels of a torch dataset, whose items are pairs of an image and a label.

    place, split: for messages. An image is one of Pillow, or a uint8 array or tensor; all have one shape.

    Raises: DataError.
    """
    count = len(dataset)
    if not count:
        raise DataError(f"{place}: the {split} dataset is empty")
    images, labels = [], []
    for number in range(count):
        image, label = _pair(place, split, number, dataset[number])
        images.append(_pixels(place, split, number, image))
        labels.append(label)
        if images[-1].shape != images[0].shape:
            raise DataError(
                f"{place}: {split} image {number} has the shape {images[-1].shape}, the first one {images[0].shape}; "
                "resize all to one shape"
            )
    return np.stack(images), _numbers(labels)


def _pair(place: str, split: str, number: int, item: Any) -> tuple[Any, Any]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(f"{place}: {split} item {number} is a {type(item).__name__}, not a pair of image and label")
    return item[0], item[1]


def _pixels(place: str, split: str, number: int, image: Any) -> NDArray[Any]:
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("L" if image.mode in GREY else "RGB"))
    if hasattr(image, "detach"):  # a torch tensor
        image = image.detach().cpu().numpy()
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise DataError(
            f"{place}: {split} image {number} has the type {array.dtype}, not uint8; leave transforms such as ToTensor "
            "out, because fastadv scales and normalises by itself"
        )
    return array


def _numbers(labels: list[Any]) -> NDArray[Any]:
    """Labels as an array: those of datasets are numbers, or tensors with one number."""
    return np.array([label.item() if hasattr(label, "item") else label for label in labels])
