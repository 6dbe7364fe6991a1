"""Checks arrays that a user gives as a data set, and brings them into the form of `Arrays`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import DataError
from engine.data.memory.arrays import Arrays

CHANNELS = (1, 3)  # grey and colour
MAX_CLASSES = 100_000
IMAGE_FORM = "(N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels"


def own_arrays(place: str, x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> Arrays:
    """Arrays of any user as a data set. place: the file or function that they come from, for messages.

    Images: uint8, (N, H, W), (N, H, W, C) or (N, C, H, W), where C is 1 or 3. If both ends of an image could be
    channels, the last one is. Labels: integers from 0 on, (N,) or (N, 1); each class needs a training image.

    Raises: DataError, if the arrays are anything else.
    """
    train, test = images(place, "x_train", x_train), images(place, "x_test", x_test)
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"{place}: training images are {_size(train)} but test images {_size(test)} (height x width x channels); "
            "make them equal"
        )
    train_labels = labels(place, "y_train", y_train, len(train))
    test_labels = labels(place, "y_test", y_test, len(test))
    _check_classes(place, train_labels, test_labels)
    return Arrays(train, train_labels, test, test_labels, official=None)


def images(place: str, name: str, given: Any) -> NDArray[np.uint8]:
    """Images as uint8, (N, H, W, C). name: of the array, for messages. Raises: DataError."""
    array = _array(place, name, given)
    if array.dtype != np.uint8:
        floats = ": multiply floats in [0,1] by 255, round them, and call astype('uint8')" * (array.dtype.kind == "f")
        raise DataError(f"{place}: {name} has the type {array.dtype}; it must be uint8, with values 0 to 255{floats}")
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim == 4 and array.shape[3] not in CHANNELS and array.shape[1] in CHANNELS:
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in CHANNELS or not array.size:
        shape = np.shape(given)
        raise DataError(f"{place}: {name} has the shape {shape}; it must be {IMAGE_FORM}, and not empty")
    return np.ascontiguousarray(array)


def labels(place: str, name: str, given: Any, count: int) -> NDArray[np.int64]:
    """Labels as int64, (count,). name: of the array, for messages. Raises: DataError."""
    array = _array(place, name, given)
    if array.dtype.kind not in "iu":
        raise DataError(f"{place}: {name} has the type {array.dtype}; labels must be integers from 0 on")
    if array.shape not in ((count,), (count, 1)):
        raise DataError(f"{place}: {name} has the shape {array.shape}; for {count:,} images it must be ({count},)")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= MAX_CLASSES:
        raise DataError(f"{place}: {name} has labels from {low} to {high}; they must be from 0 to the classes less 1")
    return array.reshape(count).astype(np.int64)


def _array(place: str, name: str, given: Any) -> NDArray[Any]:
    """An array of what a user gives: of NumPy, of torch, or a list."""
    if hasattr(given, "detach"):  # a torch tensor, on any device
        given = given.detach().cpu().numpy()
    try:
        array = np.asarray(given)
    except (ValueError, TypeError):  # lists of unequal lengths
        array = np.empty((), object)
    if array.dtype.hasobject or array.dtype.kind not in "biufc":
        raise DataError(f"{place}: {name} is no array of numbers ({type(given).__name__}, {array.dtype})")
    return array


def _check_classes(place: str, train: NDArray[np.int64], test: NDArray[np.int64]) -> None:
    """Raises: DataError, if there are fewer than two classes, or a class has no training images."""
    classes = int(max(train.max(), test.max())) + 1
    if classes < 2:
        raise DataError(f"{place}: all labels are 0; a data set needs two classes or more, with labels 0, 1, ...")
    empty = np.flatnonzero(np.bincount(train, minlength=classes) == 0)
    if len(empty):
        more = f" and {len(empty) - 1:,} more" if len(empty) > 1 else ""
        raise DataError(
            f"{place}: class {empty[0]}{more} of {classes:,} has no training images; number the classes without gaps, "
            "from 0 on"
        )


def _size(array: NDArray[np.uint8]) -> str:
    return " x ".join(map(str, array.shape[1:]))
