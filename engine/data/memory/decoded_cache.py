"""Keeps decoded images of one size in `$FASTADV_HOME/cache`, because to decode a hundred thousand takes a minute.

The files may be deleted at any time. A file that cannot be read, or not be written, is as good as none.
"""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.protocol.files import replacing

VERSION = 1  # of the files


def key_of_files(paths: Iterable[Path]) -> str:
    """A hash of the names, sizes and times of files. A file that is missing counts as empty."""
    digest = hashlib.blake2b(digest_size=12)
    for path in paths:
        size = time = 0
        with suppress(OSError):
            facts = path.stat()
            size, time = facts.st_size, facts.st_mtime_ns
        digest.update(f"{path}\0{size}\0{time}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def load_decoded(root: Path, key: str, count: int, side: int) -> NDArray[np.uint8] | None:
    """The images that were kept under this key: uint8, (count, side, side, 3). None without any."""
    path = _file(root)
    try:
        if path is None:
            return None
        # NumPy leaves a damaged file open that it has opened itself
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:  # the zip has checksums
            if str(kept["key"]) != key:
                return None
            images: NDArray[np.uint8] = kept["images"]
    except Exception:  # a damaged file can raise nearly anything
        return None
    return images if images.shape == (count, side, side, 3) and images.dtype == np.uint8 else None


def keep_decoded(root: Path, key: str, images: NDArray[np.uint8]) -> None:
    with suppress(OSError):  # a full or read-only disk, or no home yet
        if (path := _file(root)) is not None:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with replacing(path) as file:
                np.savez(file, key=np.array(key), images=images)


def _file(root: Path) -> Path | None:
    """The file for a folder of images. None if this process has no home."""
    name = hashlib.blake2b(os.fsencode(root.absolute()), digest_size=12).hexdigest()
    with suppress(KeyError, RuntimeError):  # RuntimeError: the home of a user who does not exist
        return Path(os.environ["FASTADV_HOME"]).expanduser() / "cache" / f"decoded-{VERSION}-{name}.npz"
    return None
