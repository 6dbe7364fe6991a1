"""Read a data set from a function in a Python file of the user.

The function runs in a child process and writes its arrays into a file that has no name. So the file may loop, exit or
print without harm to the engine, and nothing of it stays in the process that trains.
"""

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from engine.config.errors import DataError
from engine.config.user_code import DATASET_COPY, UserCode, file_to_run, parse
from engine.data.memory.arrays import Arrays
from engine.data.memory.npz import NAMES
from engine.data.memory.own_arrays import own_arrays
from engine.data.memory.torch_datasets import arrays_of
from engine.runtime.isolated import isolated
from engine.runtime.user_code import load

WANTED = (
    "return ((x_train, y_train), (x_test, y_test)), a dict of x_train, y_train, x_test and y_test, or a pair of torch "
    "datasets"
)


def read_function(text: str, fingerprint: str = "", folder: Path | None = None) -> Arrays:
    """Call a function of the user, and return its arrays.

    text: FILE.py:NAME. fingerprint: that the file must have, "" for any. folder: the run directory with the copy of the
    file, None for data that belongs to no run.

    Raises: ConfigError, if the file cannot be run; DataError, if the function returns no data set.
    """
    code = parse(text)
    assert code is not None  # the name of the data set has this form
    path = file_to_run(code, fingerprint, folder, DATASET_COPY)
    with tempfile.TemporaryFile() as file:
        isolated(partial(_write_arrays, code, path, file), code, path)
        file.seek(0)
        with np.load(file, allow_pickle=False) as kept:
            return Arrays(kept["x_train"], kept["y_train"], kept["x_test"], kept["y_test"], official=None)


def change_of(text: str, fingerprint: str) -> list[str]:
    """A line if the user's file is no longer the one that the run was submitted with. The run has its copy."""
    code = parse(text)
    change = code.change(fingerprint) if code and fingerprint else ""
    return [f"{change}; the run uses its copy of the file that was submitted"] if change else []


def _write_arrays(code: UserCode, path: Path, file: IO[bytes], imported: Callable[[], None]) -> bytes:
    """The work of the child. imported: to be called when the file has been imported."""
    function = load(code, path)
    imported()
    if not callable(function):
        raise DataError(f"{code.text} is a {type(function).__name__}; it must be a function without arguments")
    _compute_in_this_thread()
    arrays = own_arrays(code.text, *_four(code.text, function()))
    values = arrays.train_images, arrays.train_labels, arrays.test_images, arrays.test_labels
    np.savez(file, **dict(zip(NAMES, values, strict=True)))  # type: ignore[arg-type]  # the stubs miss keywords
    file.flush()
    return b""


def _four(place: str, found: Any) -> list[Any]:
    """Training images, training labels, test images and test labels in what the function returned."""
    if isinstance(found, Mapping):
        if missing := [name for name in NAMES if name not in found]:
            raise DataError(f"{place} returns a dict without {' and '.join(missing)}; {WANTED}")
        return [found[name] for name in NAMES]
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise DataError(f"{place} returns a {type(found).__name__}, not a pair; {WANTED}")
    parts: list[Any] = []
    for half, split in zip(found, ("training", "test"), strict=True):
        if isinstance(half, tuple | list) and len(half) == 2:
            parts += half
        elif hasattr(half, "__getitem__") and hasattr(half, "__len__") and not hasattr(half, "shape"):
            parts += arrays_of(place, split, half)
        else:
            raise DataError(f"{place}: its {split} data is a {type(half).__name__}, not a pair; {WANTED}")
    return parts


def _compute_in_this_thread() -> None:
    """The threads of torch do not survive a fork: to wait for them would last for ever."""
    import torch

    torch.set_num_threads(1)
