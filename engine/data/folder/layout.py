"""Naming rules of image folders, and the remark about files that do not follow the rules."""

from collections.abc import Sequence

VAL_NAMES = ("val", "valid", "validation", "test")
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # as in torchvision


def ignored_remark(places: Sequence[str]) -> str:
    """A line that names ignored files. places: at least one "SPLIT/CLASS/FILE"."""
    first = places[0].encode(errors="backslashreplace").decode()  # a file name need not be valid UTF-8
    others = f" and {len(places) - 1:,} more" if len(places) > 1 else ""
    return f"ignored: {first}{others}; the names of images end in {', '.join(EXTENSIONS)}"
