"""Conversion of images to RGB, and the read errors that concern one file alone."""

import errno

from PIL import Image

# Read errors that concern one file. Any other error, such as one of the disk, may concern all files.
SINGLE_FILE_ERRORS = (errno.EISDIR, errno.ELOOP, errno.EACCES, errno.EPERM)


def to_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB. Grey images of 16 bits are scaled to 8 bits; Pillow would clip them at 255, which is white."""
    if image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    return image.convert("RGB")
