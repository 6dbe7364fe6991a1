"""Which files of a folder are taken for images."""

from collections.abc import Sequence

VAL_NAMES = ("val", "valid", "validation", "test")
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # torchvision's


def not_taken(places: Sequence[str]) -> str:
    """A line on files "SPLIT/CLASS/FILE" that lie among images and are left out."""
    first = places[0].encode(errors="backslashreplace").decode()  # names may be anything
    others = f" and {len(places) - 1:,} more" if len(places) > 1 else ""
    return f"not taken for images: {first}{others}; their names end in {', '.join(EXTENSIONS)}"
