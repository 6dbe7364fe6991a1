"""Read Tiny-ImageNet-200 in its official layout (Le and Yang, 2015, "Tiny ImageNet Visual Recognition Challenge").

The labels of its test images are not published, so the validation images are the test images. Labels follow the
sorted names of the classes.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from engine.config.errors import DataError
from engine.config.plain_file import not_plain
from engine.data.folder.rgb import UnsupportedImageError, open_image, read_image_file, to_rgb
from engine.data.memory.arrays import Arrays
from engine.data.memory.decoded_cache import keep_decoded, key_of_files, load_decoded
from engine.protocol.cores import usable_cores

INNER = "tiny-imagenet-200"
ANNOTATIONS = "val_annotations.txt"  # in val: file, class and box of each image, separated by tabs
SIDE = 64  # pixels
ENDING = ".jpeg"
REMEDY = "unpack the official tiny-imagenet-200.zip again"

Labelled = list[tuple[Path, int]]  # files of images with their labels


def read(folder: Path) -> Arrays | None:
    """Read Tiny-ImageNet from `folder` or its subfolder `tiny-imagenet-200`; None if no files are there.

    The images are decoded once, and kept in `$FASTADV_HOME/cache` until a file changes. Raises: DataError, OSError.
    """
    root = folder / INNER if (folder / INNER).is_dir() else folder
    if not (root / "val" / ANNOTATIONS).exists() and root.name != INNER:
        return None
    classes = _classes(root / "train")
    train, val = _train_files(root / "train", classes), _val_files(root / "val", classes)
    key = key_of_files([path for path, _ in (*train, *val)])
    images = load_decoded(root, key, len(train) + len(val), SIDE)
    if images is None:
        images = _decoded([path for path, _ in (*train, *val)])
        keep_decoded(root, key, images)
    labels = np.array([label for _, label in (*train, *val)], np.int64)
    count = len(train)
    return Arrays(images[:count], labels[:count], images[count:], labels[count:], official=None)


def _classes(train: Path) -> dict[str, int]:
    """The labels by the name of the class."""
    if not train.is_dir():
        raise DataError(f"{train} is missing; {REMEDY}")
    names = sorted(path.name for path in train.iterdir() if (path / "images").is_dir())
    if len(names) < 2:
        raise DataError(f"{train} has no folders CLASS/images; {REMEDY}")
    return {name: label for label, name in enumerate(names)}


def _train_files(train: Path, classes: dict[str, int]) -> Labelled:
    found: Labelled = []
    for name, label in classes.items():
        files = sorted(path for path in (train / name / "images").iterdir() if path.suffix.lower() == ENDING)
        if not files:
            raise DataError(f"{train / name / 'images'} has no JPEG files; {REMEDY}")
        found += [(path, label) for path in files]
    return found


def _val_files(val: Path, classes: dict[str, int]) -> Labelled:
    """The validation images in the order of their annotations."""
    path = val / ANNOTATIONS
    if not path.exists():
        raise DataError(f"{path} is missing; {REMEDY}")
    if instead := not_plain(path):
        raise DataError(f"{path} is {instead}, not a file; {REMEDY}")
    found: Labelled = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        name, _, rest = line.partition("\t")
        label = classes.get(rest.partition("\t")[0])
        if label is None or Path(name).name != name or not name:
            raise DataError(f"{path}, line {number}: not FILE, a class of the training images and a box; {REMEDY}")
        found.append((val / "images" / name, label))
    if not found:
        raise DataError(f"{path} is empty; {REMEDY}")
    return found


def _decoded(paths: Sequence[Path]) -> NDArray[np.uint8]:
    """The images of all files: uint8, (N, 64, 64, 3). Pillow decodes in threads, because it releases the lock."""
    images = np.empty((len(paths), SIDE, SIDE, 3), np.uint8)
    with ThreadPoolExecutor(usable_cores()) as pool:
        for number, pixels in enumerate(pool.map(_pixels, paths)):
            images[number] = pixels
    return images


def _pixels(path: Path) -> NDArray[np.uint8]:
    content = _content(path)
    try:
        with open_image(content) as image:
            pixels = np.asarray(to_rgb(image))
    except Exception as error:  # a damaged file can raise nearly anything
        reason = "of no known format" if isinstance(error, UnidentifiedImageError) else error
        raise DataError(f"{path} cannot be read as an image ({reason}); {REMEDY}") from None
    if pixels.shape != (SIDE, SIDE, 3):
        raise DataError(f"{path} has {pixels.shape[1]} x {pixels.shape[0]} pixels, not {SIDE} x {SIDE}; {REMEDY}")
    return pixels


def _content(path: Path) -> bytes:
    try:
        return read_image_file(path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; {REMEDY}") from None
    except UnsupportedImageError as error:
        raise DataError(f"{path} cannot be read as an image ({error}); {REMEDY}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); {REMEDY}") from None
