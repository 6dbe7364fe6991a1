"""Read a Hugging Face data set that `datasets.save_to_disk` has written. Extra `datasets`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import DataError
from engine.data.memory.arrays import Arrays
from engine.data.memory.own_arrays import own_arrays
from engine.data.memory.torch_datasets import arrays_of
from engine.data.memory.unreadable import short_reason

TRAIN = ("train",)
TEST = ("test", "validation", "valid", "val")
IMAGE = ("image", "img", "pixels", "x")
LABEL = ("label", "labels", "fine_label", "y")


def read(path: str) -> Arrays:
    """Read the splits train and test (or validation) of a folder.

    The image column is the one of the type Image, else one of IMAGE; the label column is the one of the type
    ClassLabel, else one of LABEL.

    Raises: DataError, if the package is missing, the folder holds no such data set, or its images are unfit.
    """
    place = f"hf-data:{path}"
    splits = _opened(place, path)
    train, test = _split(place, splits, TRAIN), _split(place, splits, TEST)
    return own_arrays(place, *_arrays(place, "training", train), *_arrays(place, "test", test))


def _opened(place: str, path: str) -> Any:
    try:
        from datasets import load_from_disk
        from datasets.utils.logging import disable_progress_bar
    except ImportError as error:
        raise DataError(
            f"{place} needs the package datasets ({error}); type: pip install 'fastadv[datasets]'"
        ) from None
    if not Path(path).is_dir():
        raise DataError(f"{place}: there is no such folder; write it with datasets.save_to_disk")
    disable_progress_bar()
    try:
        return load_from_disk(path)
    except Exception as error:  # a damaged folder can raise nearly anything
        raise DataError(
            f"{place} cannot be read ({short_reason(error)}); write it with datasets.save_to_disk"
        ) from None


def _split(place: str, splits: Any, names: tuple[str, ...]) -> Any:
    if not hasattr(splits, "keys"):
        raise DataError(f"{place} is a single split; save a DatasetDict with the splits train and test")
    name = next((name for name in names if name in splits), None)
    if name is None:
        raise DataError(f"{place} has the splits {', '.join(splits)}; it needs {names[0]}")
    return splits[name]


def _arrays(place: str, split: str, rows: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images and labels of a split."""
    image = _column(place, rows, "Image", IMAGE)
    label = _column(place, rows, "ClassLabel", LABEL)
    pairs = _Pairs(rows, image, label)
    try:
        return arrays_of(place, split, pairs)
    except DataError:
        raise
    except Exception as error:  # a damaged image can raise nearly anything
        raise DataError(
            f"{place}: a {split} image cannot be read ({short_reason(error)}); save the data set again"
        ) from None


def _column(place: str, rows: Any, kind: str, names: tuple[str, ...]) -> str:
    """The name of the column of a type, or of one of these names."""
    of_kind = [name for name, feature in rows.features.items() if type(feature).__name__ == kind]
    if len(of_kind) == 1:
        return str(of_kind[0])
    for name in names:
        if name in rows.features:
            return name
    raise DataError(
        f"{place} has the columns {', '.join(rows.features)}; name one {names[0]} (or give only one the type {kind})"
    )


class _Pairs:
    """The rows of a split as pairs of an image and a label. Columns that are no images of the package give arrays."""

    def __init__(self, rows: Any, image: str, label: str) -> None:
        rows = rows.select_columns([image, label])
        is_image = type(rows.features[image]).__name__ == "Image"
        self._rows = rows.with_format(None) if is_image else rows.with_format("numpy")
        self._image, self._label = image, label

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> tuple[Any, Any]:
        row = self._rows[number]
        pixels = row[self._image]
        return pixels.astype(np.uint8) if _are_bytes(pixels) else pixels, row[self._label]


def _are_bytes(pixels: Any) -> bool:
    """Whether an array holds whole numbers from 0 to 255, in whatever type the package has stored them."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype.kind not in "iu" or not pixels.size:
        return False
    return bool(pixels.min() >= 0 and pixels.max() <= 255)
