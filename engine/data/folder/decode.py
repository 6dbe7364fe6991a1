"""Decode an image file to the crop that training or evaluation needs.

JPEGs are decoded at 1/2, 1/4 or 1/8 of their size where these pixels are enough; libjpeg scales while it decodes.
"""

import errno
import hashlib
import math
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import simplejpeg
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.config.errors import DataError
from engine.data.folder.rgb import SINGLE_FILE_ERRORS, UnsupportedImageError, open_image, read_image_file, to_rgb

GREY = 128  # pixel value of the image in place of an unreadable one
AREA = (0.08, 1.0)  # area of a training crop as a fraction of the image, as in torchvision's RandomResizedCrop
RATIO = (3 / 4, 4 / 3)  # width over height of a training crop
TRIES = 10  # random boxes, before the largest centred box is taken
DECODE_FACTOR = 2  # evaluation depends on exact pixels: it decodes images at no less than twice the crop
SIMPLEJPEG_COLOUR_SPACES = ("YCbCr", "Gray", "RGB")  # of JPEGs; Pillow decodes the others

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
Pixels = NDArray[np.uint8]  # (height, width, 3)


class DecodeError(Exception):
    """A file that cannot be read as an image. The message names the file."""


class GoneError(DecodeError):
    """The file does not exist."""


def train_crop(path: bytes, crop: int, *key: int) -> Tensor:
    """A random part of an image, resized to `crop` pixels: uint8, (crop, crop, 3).

    key: (seed, epoch, image), which alone determines the random part.
    Raises: DecodeError; OSError, if reading fails for a reason that may concern all files, such as the disk.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    rng = random.Random(int.from_bytes(digest, "little"))
    pixels, box = _decoded(path, lambda width, height: random_box(width, height, rng), crop)
    left, top, right, bottom = (round(side) for side in box)
    part = torch.from_numpy(pixels).permute(2, 0, 1)[None, :, top:bottom, left:right]
    # torch resizes as Pillow does, and is three times as fast on pixels in this memory order
    part = part.contiguous(memory_format=torch.channels_last)
    return F.interpolate(part, size=(crop, crop), mode="bilinear", antialias=True)[0].permute(1, 2, 0)


def eval_crop(path: bytes, resize: int, crop: int) -> Pixels:
    """The centre crop of an image whose shorter side was resized to `resize` pixels: uint8, (crop, crop, 3).

    The pixels are those of torchvision's Resize and CenterCrop, except for rounding.
    Raises: DecodeError; OSError, if reading fails for a reason that may concern all files, such as the disk.
    """
    pixels, box = _decoded(path, lambda width, height: centre_box(width, height, resize, crop), DECODE_FACTOR * crop)
    return np.array(Image.fromarray(pixels).resize((crop, crop), Image.Resampling.BILINEAR, box=box))


def random_box(width: int, height: int, rng: random.Random) -> Box:
    """A random box, distributed as in torchvision's RandomResizedCrop."""
    for _ in range(TRIES):
        area = width * height * rng.uniform(*AREA)
        ratio = math.exp(rng.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left, top = rng.randint(0, width - wide), rng.randint(0, height - high)
            return left, top, left + wide, top + high
    ratio = min(max(width / height, RATIO[0]), RATIO[1])
    wide, high = min(width, round(height * ratio)), min(height, round(width / ratio))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def centre_box(width: int, height: int, resize: int, crop: int) -> Box:
    """The box of the centre crop, in pixels of the image before it is resized."""
    short = min(width, height)
    new_width, new_height = (int(resize * side / short) for side in (width, height))
    left, top = round((new_width - crop) / 2), round((new_height - crop) / 2)
    scale_x, scale_y = width / new_width, height / new_height
    return left * scale_x, top * scale_y, (left + crop) * scale_x, (top + crop) * scale_y


def _decoded(path: bytes, choose: Callable[[int, int], Box], side: int) -> tuple[Pixels, Box]:
    """The pixels of an image, perhaps scaled down, and the chosen box in these pixels.

    choose: returns the box for the full width and height. side: width and height in pixels that the box keeps at least,
    if the image has that many.
    """
    try:
        raw = read_image_file(Path(os.fsdecode(path)))
    except FileNotFoundError:
        raise GoneError(f"{os.fsdecode(path)} does not exist") from None
    except UnsupportedImageError as error:
        raise DecodeError(f"{os.fsdecode(path)} cannot be read as an image ({error})") from None
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise DataError(f"{error.strerror}: allow more open files with `ulimit -n`, and resume the run") from None
        if error.errno not in SINGLE_FILE_ERRORS:
            raise
        raise DecodeError(f"{os.fsdecode(path)} cannot be read ({error.strerror})") from None
    try:
        with open_image(raw) as image:
            width, height = image.size
            box = choose(width, height)
            spare = min(box[2] - box[0], box[3] - box[1]) / side
            divisor = 2 ** min(max(int(math.log2(spare)), 0), 3)
            pixels = _jpeg(raw, width // divisor, height // divisor)
            if pixels is None:
                pixels = np.array(to_rgb(image))
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        raise DecodeError(f"{os.fsdecode(path)} cannot be read as an image ({error})") from None
    scale_x, scale_y = pixels.shape[1] / width, pixels.shape[0] / height
    return pixels, (box[0] * scale_x, box[1] * scale_y, box[2] * scale_x, box[3] * scale_y)


def _jpeg(raw: bytes, width: int, height: int) -> Pixels | None:
    """The pixels of a JPEG, at least (height, width, 3). None for files that need the more lenient Pillow."""
    if not simplejpeg.is_jpeg(raw):
        return None
    try:
        if simplejpeg.decode_jpeg_header(raw)[2] not in SIMPLEJPEG_COLOUR_SPACES:
            return None
        pixels: Pixels = simplejpeg.decode_jpeg(raw, min_width=width, min_height=height)
    except ValueError:
        return None
    return pixels
