"""One image and its smaller copies, from bytes to bytes."""

import warnings
from collections.abc import Sequence
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from engine.data.folder.rgb import to_rgb

SUBSAMPLING = "4:2:0"  # as nearly all of ImageNet has it; 4:4:4 takes a third more bytes and time at every epoch
DRAFT_ROOM = 2  # JPEGs may be decoded at an 1/2, 1/4 or 1/8, as long as this many times the largest copy is left


class BrokenImageError(Exception):
    """The image cannot be decoded to its end; says why in one line."""


def copies(content: bytes, sizes: Sequence[int], quality: int) -> list[bytes]:
    """A JPEG in RGB for each size, whose shorter side is `size` pixels, or as many as the image has if those are less.

    A sound RGB JPEG that is small enough already comes back as it is. The EXIF rotation is not applied, as
    torchvision does not. Raises: BrokenImageError.
    """
    image, original = _decoded(content, max(sizes, default=1))
    kept = image.format == "JPEG" and image.mode == "RGB"
    rgb = to_rgb(image)
    rgb.info.clear()  # comments, profiles
    return [content if kept and min(original) <= size else _encoded(rgb, original, size, quality) for size in sizes]


def smaller(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Width and height with that shorter side, never larger; rounded as torchvision's Resize does."""
    width, height = size
    if min(size) <= shorter:
        return size
    return (shorter, shorter * height // width) if width < height else (shorter * width // height, shorter)


def _decoded(content: bytes, largest: int) -> tuple[Image.Image, tuple[int, int]]:
    """The image, perhaps decoded at a fraction of its size, and the size it has."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd but readable files
            image = Image.open(BytesIO(content))
            original = image.size
            goal = [DRAFT_ROOM * side for side in smaller(original, largest)]
            image.draft(None, (goal[0], goal[1]))
            image.load()
    except MemoryError:
        raise
    except Exception as error:  # decoders of thirty formats raise what they like
        raise BrokenImageError(_reason(error)) from None
    return image, original


def _encoded(rgb: Image.Image, original: tuple[int, int], size: int, quality: int) -> bytes:
    wanted = smaller(original, size)
    if rgb.size != wanted:
        rgb = rgb.resize(wanted, Image.Resampling.LANCZOS)
    file = BytesIO()
    rgb.save(file, "JPEG", quality=quality, subsampling=SUBSAMPLING)
    return file.getvalue()


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return str(error).partition("\n")[0] or type(error).__name__
