"""From an image file to the pixels that are needed of it.

JPEGs are decoded at a half, a quarter or an eighth of their size where that is enough: libjpeg scales as it decodes.
"""

import hashlib
import math
import os
import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import simplejpeg
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.data.folder.rgb import OF_ONE_FILE, to_rgb

AREA = (0.08, 1.0)  # of a training crop, as a share of the image: torchvision's RandomResizedCrop
RATIO = (3 / 4, 4 / 3)  # of its width to its height
TRIES = 10
SPARE = 2  # an evaluation is judged by its pixels: it is decoded at no less than twice the size that is needed
PLAIN = ("YCbCr", "Gray", "RGB")  # colour spaces of JPEGs that need no care; Pillow knows about the others

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
Pixels = NDArray[np.uint8]  # (height, width, 3)


class DecodeError(Exception):
    """A file is no image that can be read; the message names it."""


class GoneError(DecodeError):
    """There is no such file."""


def train_crop(path: bytes, crop: int, *key: int) -> Tensor:
    """A random part of an image, resized to uint8 (crop, crop, 3): a function of `key` (seed, epoch, image) alone.

    Raises: DecodeError; OSError, if the file is there and cannot be read.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    rng = random.Random(int.from_bytes(digest, "little"))
    pixels, box = _decoded(path, lambda width, height: random_box(width, height, rng), crop)
    left, top, right, bottom = (round(side) for side in box)
    part = torch.from_numpy(pixels).permute(2, 0, 1)[None, :, top:bottom, left:right]
    # torch's resizing is that of Pillow, and of pixels in this order three times as fast
    part = part.contiguous(memory_format=torch.channels_last)
    return F.interpolate(part, size=(crop, crop), mode="bilinear", antialias=True)[0].permute(1, 2, 0)


def eval_crop(path: bytes, resize: int, crop: int) -> Pixels:
    """The centre of an image whose shorter side was resized to `resize`, (crop, crop, 3): as torchvision's Resize and
    CenterCrop, but for rounding.

    Raises: DecodeError; OSError, if the file is there and cannot be read.
    """
    pixels, box = _decoded(path, lambda width, height: centre_box(width, height, resize, crop), SPARE * crop)
    return np.array(Image.fromarray(pixels).resize((crop, crop), Image.Resampling.BILINEAR, box=box))


def random_box(width: int, height: int, rng: random.Random) -> Box:
    """Where torchvision's RandomResizedCrop would cut."""
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
    """The centre crop of the resized image, in pixels of the image as it is."""
    short = min(width, height)
    new_width, new_height = (int(resize * side / short) for side in (width, height))
    left, top = round((new_width - crop) / 2), round((new_height - crop) / 2)
    across, down = width / new_width, height / new_height
    return left * across, top * down, (left + crop) * across, (top + crop) * down


def _decoded(path: bytes, choose: Callable[[int, int], Box], side: int) -> tuple[Pixels, Box]:
    """An image, and in its pixels the box that was chosen by its width and height; scaled down no further than that the
    box keeps `side` pixels either way.
    """
    try:
        raw = Path(os.fsdecode(path)).read_bytes()
    except FileNotFoundError:
        raise GoneError(f"{os.fsdecode(path)} is gone") from None
    except OSError as error:
        if error.errno not in OF_ONE_FILE:  # the disk's
            raise
        raise DecodeError(f"{os.fsdecode(path)} cannot be read ({error.strerror})") from None
    try:
        with Image.open(BytesIO(raw)) as image:  # reads no more than the header
            width, height = image.size
            box = choose(width, height)
            spare = min(box[2] - box[0], box[3] - box[1]) / side
            halved = 2 ** min(max(int(math.log2(spare)), 0), 3)
            pixels = _jpeg(raw, width // halved, height // halved)
            if pixels is None:
                pixels = np.array(to_rgb(image))
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        raise DecodeError(f"{os.fsdecode(path)} cannot be read as an image ({error})") from None
    across, down = pixels.shape[1] / width, pixels.shape[0] / height
    return pixels, (box[0] * across, box[1] * down, box[2] * across, box[3] * down)


def _jpeg(raw: bytes, width: int, height: int) -> Pixels | None:
    """The pixels of a plain JPEG, at least so large; None for other files, and those that want a lenient decoder."""
    if not simplejpeg.is_jpeg(raw):
        return None
    try:
        if simplejpeg.decode_jpeg_header(raw)[2] not in PLAIN:
            return None
        pixels: Pixels = simplejpeg.decode_jpeg(raw, min_width=width, min_height=height)
    except ValueError:
        return None
    return pixels
