"""Make smaller JPEG copies of one image, from bytes to bytes."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from engine.data.folder.rgb import open_image, to_rgb

SUBSAMPLING = "4:2:0"  # as in nearly all of ImageNet; 4:4:4 takes a third more bytes, and more time in every epoch
DRAFT_FACTOR = 2  # a JPEG may be decoded at 1/2, 1/4 or 1/8, if it stays this many times as large as the largest copy


class BrokenImageError(Exception):
    """An image that cannot be decoded to its end. The message says why in one line."""


def copies(content: bytes, sizes: Sequence[int], quality: int) -> list[bytes]:
    """An RGB JPEG for each size. Its shorter side has `size` pixels, or fewer if the image is smaller.

    An intact RGB JPEG that is small enough is returned unchanged. The EXIF rotation is not applied, as in torchvision.
    quality: of the JPEGs, 1 to 100. Raises: BrokenImageError.
    """
    rgb, original, kept = _decoded(content, max(sizes, default=1))
    rgb.info.clear()  # comments, profiles
    return [content if kept and min(original) <= size else _encoded(rgb, original, size, quality) for size in sizes]


def smaller_size(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Width and height of the copy whose shorter side is `shorter`, never enlarged; rounded as torchvision's Resize."""
    width, height = size
    if min(size) <= shorter:
        return size
    return (shorter, shorter * height // width) if width < height else (shorter * width // height, shorter)


def _decoded(content: bytes, largest: int) -> tuple[Image.Image, tuple[int, int], bool]:
    """The image in RGB, perhaps decoded at a fraction of its size, its full size, and whether it is an RGB JPEG.

    largest: size of the largest copy.
    """
    try:
        image = open_image(content)
        original = image.size
        goal = [DRAFT_FACTOR * side for side in smaller_size(original, largest)]
        image.draft(None, (goal[0], goal[1]))
        rgb = to_rgb(image)
    except MemoryError:
        raise
    except Exception as error:  # the decoders of thirty formats raise any exception
        raise BrokenImageError(_reason(error)) from None
    return rgb, original, image.format == "JPEG" and image.mode == "RGB"


def _encoded(rgb: Image.Image, original: tuple[int, int], size: int, quality: int) -> bytes:
    wanted = smaller_size(original, size)
    if rgb.size != wanted:
        rgb = rgb.resize(wanted, Image.Resampling.LANCZOS)
    file = BytesIO()
    rgb.save(file, "JPEG", quality=quality, subsampling=SUBSAMPLING)
    return file.getvalue()


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return str(error).partition("\n")[0] or type(error).__name__
