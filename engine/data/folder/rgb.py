"""Images of every mode in RGB, and faults in reading that are of one file alone."""

import errno

from PIL import Image

OF_ONE_FILE = (errno.EISDIR, errno.ELOOP, errno.EACCES, errno.EPERM)  # faults in reading that say nothing of others


def to_rgb(image: Image.Image) -> Image.Image:
    """The image in RGB. Pillow alone would cut 16 bits of grey off at 255, which is white."""
    if image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    return image.convert("RGB")
