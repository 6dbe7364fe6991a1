"""Compresses a bundle: `.tar.zst` by Zstandard, `.tar.gz` by gzip. The first bytes say which of them a file is.

Python has Zstandard from version 3.14 on. backports.zstd is the same module for earlier versions, and nothing else.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, BinaryIO, cast

from fastadv_tui.bundle.manifest import BundleError

ZSTD, GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"  # the first bytes
SUFFIXES = (".tar.zst", ".tar.gz", ".tgz")
LEVEL = {"zstd": 3, "gzip": 1}  # weights hardly shrink, so a higher level would cost time only
NO_ZSTD = "needs Zstandard: pip install 'fastadv[bundle]'"


def check_suffix(name: str) -> None:
    """Raises: BundleError, if a name does not say how to compress, or this Python lacks the compression."""
    if not name.lower().endswith(SUFFIXES):
        raise BundleError(f"{name}: let the name end in .tar.zst or .tar.gz")
    if name.lower().endswith(".zst") and _zstd() is None:
        raise BundleError(f"{name} {NO_ZSTD}, or let the name end in .tar.gz")


@contextmanager
def compressed(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """A stream that compresses into a file. name: of the bundle, which says how. Raises: as `check_suffix`."""
    check_suffix(name)
    if name.lower().endswith(".zst"):
        with _zstd().ZstdFile(file, "wb", level=LEVEL["zstd"]) as stream:
            yield cast(BinaryIO, stream)
    else:
        with gzip.GzipFile("", "wb", LEVEL["gzip"], file, mtime=0) as stream:  # no name of this machine goes in
            yield cast(BinaryIO, stream)


@contextmanager
def decompressed(file: BinaryIO) -> Iterator[BinaryIO]:
    """A stream of what a compressed file holds.

    Raises: BundleError, if the file is not compressed, is damaged or ends too early, here or when it is read.
    """
    head = file.read(len(ZSTD))
    file.seek(0)
    if head != ZSTD and not head.startswith(GZIP):
        raise BundleError("is no bundle: it is compressed neither by Zstandard nor by gzip")
    zstd = _zstd() if head == ZSTD else None
    if head == ZSTD and zstd is None:
        raise BundleError(NO_ZSTD)
    damage = (zlib.error, EOFError, gzip.BadGzipFile, *((zstd.ZstdError,) if zstd else ()))
    try:
        with zstd.ZstdFile(file) if zstd else gzip.GzipFile(fileobj=file) as stream:
            yield io.BufferedReader(cast(Any, stream), 1 << 20)
    except damage as error:
        raise BundleError(f"is damaged or cut off ({error}); copy or download it again") from None


def _zstd() -> Any:
    """The module of Zstandard, of Python or of backports.zstd; None if neither is there."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
