"""Read MNIST in the official idx format (LeCun et al., 1998), gzipped or not."""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.config.errors import DataError
from engine.data.memory.arrays import Arrays

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
MD5S = {  # checksums of the released files, unpacked
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
UBYTE = 0x08  # the idx code of the element type


def read(folder: Path) -> Arrays | None:
    """Read MNIST from `folder`, `folder`/MNIST/raw or `folder`/mnist; None if no files are there. Raises: DataError."""
    for root in (folder, folder / "MNIST" / "raw", folder / "mnist"):
        if any(_find(root / name) for name in FILES):
            whole = (
                f"the MNIST files in {folder}" if root == folder else str(folder / root.relative_to(folder).parts[0])
            )
            return _read(root, f"restore this file, or remove {whole}: fastadv then downloads all files again")
    return None


def _read(root: Path, remedy: str) -> Arrays:
    """remedy: the end of the error messages."""
    contents = [_content(root / name, remedy) for name in FILES]
    train_images, train_labels, test_images, test_labels = (
        _parse(root / name, content, dimensions, remedy)
        for name, content, dimensions in zip(FILES, contents, (3, 1, 3, 1), strict=True)
    )
    return Arrays(
        train_images[..., None],
        train_labels.astype(np.int64),
        test_images[..., None],
        test_labels.astype(np.int64),
        official=all(
            hashlib.md5(content, usedforsecurity=False).hexdigest() == MD5S[name]
            for name, content in zip(FILES, contents, strict=True)
        ),
    )


def _find(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return path if path.is_file() else packed if packed.is_file() else None


def _content(path: Path, remedy: str) -> bytes:
    found = _find(path)
    if found is None:
        raise DataError(f"{path} (or .gz) is missing; {remedy}")
    try:
        return gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DataError(f"{found} is damaged; {remedy}") from None
    except OSError as error:
        raise DataError(f"cannot read {found}: {error.strerror}; check its permissions") from None


def _parse(path: Path, content: bytes, dimensions: int, remedy: str) -> NDArray[np.uint8]:
    """The array in an idx file: two zero bytes, element type, number of dimensions, big-endian sizes, elements."""
    head = 4 + 4 * dimensions
    if content[:4] != bytes((0, 0, UBYTE, dimensions)) or len(content) < head:
        raise DataError(f"{path} is not an idx file of {dimensions} dimension(s); {remedy}")
    shape = struct.unpack(f">{dimensions}I", content[4:head])
    values = np.frombuffer(content, np.uint8, offset=head)
    if values.size != math.prod(shape):  # NumPy's product overflows
        raise DataError(f"{path} is truncated or damaged: {values.size:,} bytes for {shape}; {remedy}")
    return values.reshape(shape).copy()  # torch warns of arrays that it may not write to
