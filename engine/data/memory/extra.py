"""Extra training images in an npz file, such as images that a generative model has made."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from engine.config.datasets import DatasetFacts
from engine.config.errors import DataError
from engine.config.plain_file import not_plain
from engine.data.memory.unreadable import UNREADABLE, short_reason

IMAGE, LABEL = "image", "label"  # the names of the arrays in the file
_LOCAL_HEADER = 30  # bytes of the fixed part of a zip member's header; the lengths of its two variable parts end it


@dataclass(frozen=True)
class ExtraImages:
    """Extra training images.

    images: uint8, (N, H, W, C), or (N, C, H, W) if `channels_first`; labels: int64, (N,). fingerprint: a hash of the
    checksums that the file holds, 12 hexadecimal digits.
    """

    path: Path
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    channels_first: bool
    fingerprint: str

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self, chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The images of these indices: uint8, (B, H, W, C)."""
        found = self.images[chosen]
        return found.transpose(0, 2, 3, 1) if self.channels_first else found


def open_extra(path: Path, facts: DatasetFacts) -> ExtraImages:
    """Open an npz file with the arrays `image` and `label`, for a data set with these facts.

    Images of an uncompressed file (`numpy.savez`) stay on the disk and are mapped into memory. Those of a compressed
    one are read into memory.

    Raises: DataError, if there is no such file, if an array is missing or has another shape or type, or if a label is
    no class of the data set.
    """
    try:
        if problem := not_plain(path):
            raise DataError(f"extra_data = {path}: {problem}")
        with zipfile.ZipFile(path) as file:
            _check_names(path, file)
            images = _mapped(path, file, f"{IMAGE}.npy")
            labels = _read(file, f"{LABEL}.npy")
            fingerprint = _fingerprint(file)
    except OSError as error:
        raise DataError(f"extra_data = {path}: {error.strerror or error}; name an npz file") from None
    except DataError:
        raise
    except UNREADABLE as error:
        raise DataError(
            f"extra_data = {path} cannot be read as npz ({short_reason(error)}); write it with numpy.savez"
        ) from None
    first = _channels_first(path, images, facts)
    _check_labels(path, labels, len(images), facts.classes)
    return ExtraImages(path, images, labels.astype(np.int64), first, fingerprint)


def _check_names(path: Path, file: zipfile.ZipFile) -> None:
    names = file.namelist()
    if missing := [name for name in (IMAGE, LABEL) if f"{name}.npy" not in names]:
        raise DataError(
            f"extra_data = {path} has no array {' and no array '.join(missing)}; write it with "
            f"numpy.savez(FILE, {IMAGE}=..., {LABEL}=...)"
        )


def _channels_first(path: Path, images: NDArray[np.uint8], facts: DatasetFacts) -> bool:
    """Whether the images are (N, C, H, W). Raises: DataError, if they are neither that nor (N, H, W, C)."""
    last, first = (facts.height, facts.width, facts.channels), (facts.channels, facts.height, facts.width)
    if images.dtype != np.uint8 or images.shape[1:] not in (last, first) or not len(images):
        raise DataError(
            f"extra_data = {path}: the array {IMAGE} is {images.dtype} {images.shape}; "
            f"it must be uint8 (N, {', '.join(map(str, last))}) or uint8 (N, {', '.join(map(str, first))})"
        )
    return images.shape[1:] != last


def _check_labels(path: Path, labels: NDArray[np.int64], count: int, classes: int) -> None:
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise DataError(
            f"extra_data = {path}: the array {LABEL} is {labels.dtype} {labels.shape}; it must be integers ({count},)"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"extra_data = {path}: labels from {labels.min()} to {labels.max()}; they must be from 0 to {classes - 1}"
        )


def _fingerprint(file: zipfile.ZipFile) -> str:
    """A hash of the checksums of both arrays. To hash the pixels of a large file would delay each start."""
    members = [file.getinfo(f"{name}.npy") for name in (IMAGE, LABEL)]
    content = repr([(member.filename, member.file_size, member.CRC) for member in members])
    return hashlib.blake2b(content.encode(), digest_size=6).hexdigest()


def _read(file: zipfile.ZipFile, name: str) -> NDArray[np.int64]:
    with file.open(name) as member:
        array: NDArray[np.int64] = np.lib.format.read_array(member, allow_pickle=False)
    return array


def _mapped(path: Path, file: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    """An array of the file, mapped into memory if it is not compressed."""
    member = file.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        with file.open(name) as stream:
            array: NDArray[np.uint8] = np.lib.format.read_array(stream, allow_pickle=False)
        return array
    with path.open("rb") as raw:
        raw.seek(member.header_offset + _LOCAL_HEADER - 4)
        lengths = raw.read(4)
        raw.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), 1)
        shape, fortran, dtype = _npy_header(raw)
        if dtype.hasobject:
            raise ValueError(f"the array {name} holds Python objects")
        mapped: NDArray[np.uint8] = np.memmap(
            path, dtype, mode="r", offset=raw.tell(), shape=shape, order="F" if fortran else "C"
        )
    return mapped


def _npy_header(raw: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.uint8]]:
    """Shape, whether in Fortran's order, and type of an npy file, whose header is read."""
    version = np.lib.format.read_magic(raw)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    header: tuple[tuple[int, ...], bool, np.dtype[np.uint8]] = read(raw)
    return header
