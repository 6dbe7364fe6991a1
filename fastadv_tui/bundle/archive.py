"""Writes and reads the tar archive inside a bundle, one file after another.

The reader takes what the writer writes, and nothing else: plain files in the order of the manifest. Python's own reader
follows links, long names and sizes in headers of their own, which a hostile archive can abuse. This reader never
believes a header: the manifest says what comes next, and how many bytes of it.
"""

import hashlib
import tarfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

from fastadv_tui.bundle.manifest import MAX_MANIFEST, NAME, BundleError, FileEntry, Manifest, decode_manifest

BLOCK = tarfile.BLOCKSIZE
CHUNK = 1 << 20
MAX_PADDING = 1 << 20  # bytes of zeros at the end of an archive; other programs write more than we do
OCTAL_LIMIT = 8**11  # bytes; a larger size needs the GNU form of a number
KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.DIRTYPE: "a folder",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
}
Advance = Callable[[int], None]  # called with a number of bytes that are done
Progress = Callable[[int, int], None]  # called with the bytes done so far, and those in total
Sink = Callable[[bytes], object]


def no_progress(done: int, total: int) -> None:
    """Tells nobody."""


class Counter:
    """Adds up what is done, and tells the sum. total: in bytes."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)


def write_member(out: BinaryIO, name: str, size: int, time: int, chunks: Iterator[bytes]) -> str:
    """Write one file, and return its SHA-256. Raises: BundleError, if it has not as many bytes as `size` says."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, time, 0o600
    out.write(info.tobuf(tarfile.USTAR_FORMAT if size < OCTAL_LIMIT else tarfile.GNU_FORMAT))
    digest, done = hashlib.sha256(), 0
    for chunk in chunks:
        done += len(chunk)
        digest.update(chunk)
        out.write(chunk)
    if done != size:
        raise BundleError(f"{name} changed while it was read; is the run still at work?")
    out.write(bytes(-size % BLOCK))
    return digest.hexdigest()


def write_end(out: BinaryIO) -> None:
    out.write(bytes(2 * BLOCK))


def read_manifest(stream: BinaryIO) -> Manifest:
    """The manifest, which is the first file of the archive. Raises: BundleError."""
    size = _next_size(stream, NAME)
    if size > MAX_MANIFEST:
        raise BundleError(f"its manifest has {size:,} bytes; {MAX_MANIFEST:,} are allowed")
    content = bytearray()
    _copy(stream, size, content.extend)
    return decode_manifest(bytes(content))


def read_members(
    stream: BinaryIO, manifest: Manifest, sink_of: Callable[[str], Sink], advance: Advance = lambda count: None
) -> None:
    """Read the files after the manifest, and compare each with its entry.

    sink_of: gives what takes the bytes of a file, by its name in the archive. It is asked for one file after another.

    Raises: BundleError, at the first difference, and if anything follows the last file.
    """
    for name, entry in manifest.members():
        _read_member(stream, name, entry, sink_of(name), advance)
    rest = stream.read(MAX_PADDING + 1)
    if len(rest) > MAX_PADDING or rest.strip(b"\0"):
        raise BundleError("has more files than its manifest names")


def _read_member(stream: BinaryIO, name: str, entry: FileEntry, sink: Sink, advance: Advance) -> None:
    if (size := _next_size(stream, name)) != entry.size:
        raise BundleError(f"{name}: the manifest says {entry.size:,} bytes, the archive {size:,}")
    digest = hashlib.sha256()

    def take(chunk: bytes) -> None:
        digest.update(chunk)
        sink(chunk)
        advance(len(chunk))

    _copy(stream, size, take)
    if digest.hexdigest() != entry.sha256:
        raise BundleError(f"{name} is damaged: its SHA-256 is not the one in the manifest")


def _next_size(stream: BinaryIO, name: str) -> int:
    """The size of the next file, which must be a plain file of this name. Raises: BundleError."""
    block = _exactly(stream, BLOCK)
    if not block.strip(b"\0"):
        raise BundleError(f"{name} is missing" if name != NAME else "is no bundle of fastadv: it is an empty archive")
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise BundleError(f"is no bundle of fastadv, or it is damaged ({error})") from None
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise BundleError(f"holds {info.name!r}, which is {KINDS.get(info.type, 'no plain file')}")
    if info.name != name:
        if name == NAME:
            raise BundleError(f"is no bundle of fastadv: it begins with {info.name!r} and not with a manifest")
        raise BundleError(f"holds {info.name!r} where its manifest says {name!r}")
    if info.size < 0:
        raise BundleError(f"holds {info.name!r} with a negative size")
    return info.size


def _copy(stream: BinaryIO, size: int, sink: Sink) -> None:
    """Pass `size` bytes on, and skip the zeros after them. Raises: BundleError, if there are fewer, or others."""
    left = size
    while left:
        chunk = _exactly(stream, min(left, CHUNK))
        sink(chunk)
        left -= len(chunk)
    if _exactly(stream, -size % BLOCK).strip(b"\0"):
        raise BundleError("is damaged: it has bytes that belong to no file")


def _exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise BundleError("is cut off; copy or download it again")
    return content
