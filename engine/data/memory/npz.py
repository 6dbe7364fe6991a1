"""Read a data set from an npz file with the arrays x_train, y_train, x_test and y_test. Nothing is unpickled."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import DataError
from engine.config.plain_file import not_plain
from engine.data.memory.arrays import Arrays
from engine.data.memory.own_arrays import own_arrays
from engine.data.memory.unreadable import UNREADABLE, short_reason

NAMES = ("x_train", "y_train", "x_test", "y_test")
REMEDY = "write it with numpy.savez(FILE, x_train=..., y_train=..., x_test=..., y_test=...)"


def read(path: str) -> Arrays:
    """Read an npz file. Raises: DataError, if it cannot be read, lacks an array, or holds no data set."""
    place = f"npz:{path}"
    try:
        if instead := not_plain(Path(path)):
            raise DataError(f"{place} is {instead}, not a file; {REMEDY}")
        with zipfile.ZipFile(path) as file:
            _check_names(place, file)
            arrays = [_array(place, file, name) for name in NAMES]
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{place} does not exist; {REMEDY}") from None
    except OSError as error:
        raise DataError(f"cannot read {place}: {error.strerror}; check its permissions") from None
    except UNREADABLE as error:
        raise DataError(f"{place} cannot be read as npz ({short_reason(error)}); {REMEDY}") from None
    return own_arrays(place, *arrays)


def _check_names(place: str, file: zipfile.ZipFile) -> None:
    found = {name.removesuffix(".npy") for name in file.namelist()}
    if missing := [name for name in NAMES if name not in found]:
        has = ", ".join(sorted(found)[:8]) or "nothing"
        raise DataError(f"{place} has no array {' and no array '.join(missing)}, only {has}; {REMEDY}")


def _array(place: str, file: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with file.open(f"{name}.npy") as member:
        try:
            array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        except ValueError as error:
            if "allow_pickle" not in str(error):
                raise
            raise DataError(f"{place}: {name} holds Python objects, which are not read; save numbers only") from None
    return array
