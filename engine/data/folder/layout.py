"""Naming rules of image folders, and the remark about files that do not follow the rules."""

import os
from collections.abc import Sequence
from pathlib import Path

from engine.config.sendable import sendable

VAL_NAMES = ("val", "valid", "validation", "test")
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # as in torchvision

# What file managers, file systems and notebooks leave behind, in lower case. Names that begin with a dot are left out.
FILES_LEFT_BEHIND = ("thumbs.db", "ehthumbs.db", "desktop.ini")
FOLDERS_LEFT_BEHIND = (
    *("@eadir", "#recycle", "#snapshot"),  # Synology, QNAP
    *("lost+found", "__macosx", "$recycle.bin", "system volume information"),
)
LITTER = frozenset(FILES_LEFT_BEHIND + FOLDERS_LEFT_BEHIND)


def is_litter(name: str) -> bool:
    """Whether a name is neither a class nor an image, but something that another program left behind."""
    return name.lower() in LITTER


def nested_images(folder: Path) -> int:
    """The number of images in a folder inside a class, and below that folder. Litter has no images that count."""
    if is_litter(folder.name):
        return 0
    return sum(name.lower().endswith(EXTENSIONS) for _, _, names in os.walk(folder) for name in names)


def nested_message(folder: Path, images: int) -> str:
    """The error for a folder of images inside a class."""
    count = "1 image" if images == 1 else f"{images:,} images"
    return f"{folder} is a folder with {count} inside a class; move its images up into the class, or move it away"


def ignored_remark(places: Sequence[str]) -> str:
    """A line that names ignored files. places: at least one "SPLIT/CLASS/FILE" or "SPLIT/FILE"."""
    others = f" and {len(places) - 1:,} more" if len(places) > 1 else ""
    return f"ignored: {sendable(places[0])}{others}; the names of images end in {', '.join(EXTENSIONS)}"
