"""Reads image files, and converts images of any depth and mode to RGB. Training and `fastadv prepare` share this."""

import errno
import os
import stat
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, TiffImagePlugin

from engine.data.folder.png import png_fault
from engine.data.folder.quiet import no_messages_of_libtiff, no_warnings

# Read errors that concern one file. Any other error, such as one of the disk, may concern all files.
SINGLE_FILE_ERRORS = (errno.EISDIR, errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO)
MAX_FILE_BYTES = 2**30
MAX_PIXELS = 100_000_000  # of a decoded image, which takes 3 bytes a pixel in each worker
WIDE_FORMATS = ("PNG", "PPM")  # Pillow scales their grey images of more than 8 bits to the range 0 to 65535
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is a warning; to_rgb holds ours
TO_EIGHT_BITS = "convert the image to 8 bits a channel"


class UnsupportedImageError(Exception):
    """A file that is not taken as an image. The message says why."""


def read_image_file(path: Path) -> bytes:
    """The content of a plain file. A pipe is not waited for.

    Raises: UnsupportedImageError, if the file is no plain file, or too large; OSError.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:  # noqa: PTH123 - a handle has no path
        facts = os.fstat(handle)
        if stat.S_ISDIR(facts.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(facts.st_mode):
            raise UnsupportedImageError("a pipe, socket or device, not a file")
        if facts.st_size > MAX_FILE_BYTES:
            raise UnsupportedImageError(f"a file of more than {MAX_FILE_BYTES >> 30} GiB")
        return file.read()


def open_image(content: bytes) -> Image.Image:
    """An image of which only the header is decoded.

    Raises: UnsupportedImageError, if it is a damaged PNG. Pillow raises any exception.
    """
    if fault := png_fault(content):
        raise UnsupportedImageError(fault)
    with no_warnings:
        return Image.open(BytesIO(content))


def to_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB. Values of more than 8 bits are scaled by the maximum that the format declares.

    Pillow would clip them at 255, which is white. Transparency is left out, as in torchvision.

    Raises: UnsupportedImageError, if the format declares no maximum, floats are outside [0,1], or there are too many
    pixels. Pillow's decoders raise any exception.
    """
    if image.width * image.height > MAX_PIXELS:
        raise UnsupportedImageError(f"{image.width:,} x {image.height:,} pixels; the limit is {MAX_PIXELS:,}")
    with no_warnings, no_messages_of_libtiff if image.format == "TIFF" else nullcontext():
        return _converted(image)


def _converted(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        image = _of_floats(image)
    elif image.mode == "I" or image.mode.startswith("I;"):
        image = _scaled(image.convert("I"), _declared_maximum(image))
    elif image.mode in ("P", "PA", "La", "RGBa"):
        image = image.convert("RGBA")  # Pillow warns of a palette with transparency, and cannot convert all to RGB
    return image.convert("RGB")


def _declared_maximum(image: Image.Image) -> int:
    if image.format in WIDE_FORMATS:
        return 65535
    if image.format == "TIFF":
        return _maximum_of_tiff(image)
    if image.mode.startswith("I;16"):
        return 65535
    raise UnsupportedImageError(f"32-bit pixels without a declared maximum; {TO_EIGHT_BITS}")


def _maximum_of_tiff(image: Image.Image) -> int:
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))[0]
    kind = image.tag_v2.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0]
    inverted = image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    if kind != 1 or bits > 16 or inverted:
        what = "signed" if kind != 1 else "inverted" if inverted else f"{bits}-bit"
        raise UnsupportedImageError(f"{what} pixels without a declared maximum; {TO_EIGHT_BITS}")
    maximum: int = 2**bits - 1
    return maximum


def _of_floats(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image)  # Pillow's extremes leave NaN out
    low, high = pixels.min(), pixels.max()
    if not (0 <= low <= high <= 1):  # also false for NaN
        raise UnsupportedImageError(f"floats from {low:g} to {high:g} instead of [0,1]; {TO_EIGHT_BITS}")
    return image.point(lambda value: value * 255.0 + 0.5).convert("L")


def _scaled(wide: Image.Image, maximum: int) -> Image.Image:
    return wide.point(lambda value: value * (255 / maximum) + 0.5).convert("L")
