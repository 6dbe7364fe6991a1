"""Keeps listings and fingerprints of image folders in `$FASTADV_HOME/cache`, for the next run.

The files may be deleted at any time. A file that cannot be read, or not be written, is as good as none.
"""

import hashlib
import io
import os
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np

from engine.config.typed import decode
from engine.data.folder.listing import Listing
from engine.protocol.files import write_atomic

VERSION = 1  # of the files
ARRAYS = ("versions", "counts", "names", "kinds", "sizes", "times")


def load_listing(folder: Path) -> Listing | None:
    """The listing of the class folders in `folder` that was kept last. None without one, or if it is damaged."""
    path = _file(folder, "npz")
    if path is None:
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:  # the zip has checksums
            arrays = {name: kept[name] for name in ARRAYS}
            classes = tuple(map(os.fsdecode, kept["classes"].tolist()))
        listing = Listing(folder, classes, **arrays)
    except Exception:  # a damaged file can raise nearly anything
        return None
    return listing if _consistent(listing) else None


def keep_listing(listing: Listing) -> None:
    classes = np.array([os.fsencode(name) for name in listing.classes])
    content = io.BytesIO()
    np.savez(content, classes=classes, **{name: getattr(listing, name) for name in ARRAYS})
    _write(_file(listing.folder, "npz"), content.getvalue())


def forget_listing(folder: Path) -> None:
    """Forget what is kept, so that the next run looks at all files."""
    with suppress(OSError):
        if path := _file(folder, "npz"):
            path.unlink(missing_ok=True)


def fingerprint_of(root: Path, content: str) -> str | None:
    """The fingerprint that was kept for a data set. content: a hash of all that the fingerprint depends on."""
    try:
        path = _file(root, "json")
        kept = decode(path.read_bytes(), tuple[str, str]) if path else ("", "")
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return kept[1] if kept[0] == content else None


def keep_fingerprint(root: Path, content: str, fingerprint: str) -> None:
    _write(_file(root, "json"), msgspec.json.encode((content, fingerprint)))


def _file(folder: Path, ending: str) -> Path | None:
    """The file for a folder of images. None if this process has no home."""
    name = hashlib.blake2b(os.fsencode(folder.absolute()), digest_size=12).hexdigest()
    with suppress(KeyError, RuntimeError):  # RuntimeError: the home of a user who does not exist
        return Path(os.environ["FASTADV_HOME"]).expanduser() / "cache" / f"images-{VERSION}-{name}.{ending}"
    return None


def _write(path: Path | None, content: bytes) -> None:
    with suppress(OSError):  # a full or read-only disk, or no home yet
        if path is not None:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_atomic(path, content)


def _consistent(listing: Listing) -> bool:
    entries = {len(array) for array in (listing.names, listing.kinds, listing.sizes, listing.times)}
    classes = {len(listing.classes), len(listing.counts), len(listing.versions)}
    return entries == {int(listing.counts.sum())} and len(classes) == 1
