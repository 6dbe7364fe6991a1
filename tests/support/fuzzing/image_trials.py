"""Mutated images of every format: training and `fastadv prepare` both read them, or both refuse them."""

import io
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.folder.decode import DecodeError, eval_crop, train_crop
from engine.data.folder.png import SIGNATURE
from engine.data.folder.rgb import to_rgb
from engine.data.prepare.resize import BrokenImageError, copies
from tests.support.fuzzing.byte_mutations import mutated
from tests.support.fuzzing.trial import Trial, WrongError, wrong_message

SIDE, CROP = 24, 16
MAX_DIFFERENCE = 12  # of the mean brightness, between a picture and its copy as a JPEG
Pixels = NDArray[np.uint8]


@cache
def pictures() -> dict[str, bytes]:
    """Files of every format and mode, by a name that begins with the format."""
    ramp = np.linspace(0.15, 0.85, SIDE)
    plane = np.clip(ramp[None, :] * 0.7 + ramp[:, None] * 0.3, 0, 1)
    eight = (plane * 255).astype(np.uint8)
    colour = Image.fromarray(np.stack((eight, eight.T, 255 - eight), 2))
    wide = (plane * 65535).astype(np.uint16)
    modes: dict[str, Image.Image] = {mode: colour.convert(mode) for mode in ("1", "L", "LA", "RGB", "RGBA", "CMYK")}
    modes["P"], modes["I;16"] = colour.quantize(32), Image.fromarray(wide)
    modes["F"] = Image.fromarray(plane.astype(np.float32))
    found = {}
    for format, mode, options in FORMATS:
        file = io.BytesIO()
        modes[mode].save(file, format, **options)
        found[" ".join((format, mode, *map(str, options.values())))] = file.getvalue()
    found["PPM P2"] = b"P2\n%d %d\n255\n" % (SIDE, SIDE) + b" ".join(b"%d" % value for value in eight.flat)
    found["PPM P5 of 10 bits"] = b"P5\n%d %d\n1023\n" % (SIDE, SIDE) + (plane * 1023).astype(">u2").tobytes()
    return found


FORMATS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *(("PNG", mode, {}) for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "I;16")),
    ("PNG", "P", {"transparency": 3}),
    *(("JPEG", mode, {"quality": 90}) for mode in ("L", "RGB", "CMYK")),
    ("JPEG", "RGB", {"quality": 90, "progressive": True}),
    *(("PPM", mode, {}) for mode in ("1", "L", "RGB", "I;16")),
    *(("TIFF", mode, {}) for mode in ("1", "L", "RGB", "P", "I;16", "F", "CMYK")),
    *(("TIFF", "RGB", {"compression": kind}) for kind in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")),
    ("TIFF", "1", {"compression": "group4"}),
    *(("GIF", mode, {}) for mode in ("P", "L")),
    *(("BMP", mode, {}) for mode in ("1", "L", "RGB", "P")),
    *(("WEBP", "RGB", {"lossless": exact}) for exact in (True, False)),
    ("WEBP", "RGBA", {"lossless": True}),
)


def image_trial(rng: Random, folder: Path) -> Trial:
    """An image in `folder`, as the only broken image of a data set."""
    kind = rng.choice([*pictures()])
    data, what = mutated(rng, pictures()[kind])
    path = folder / "train" / "a" / "image.png"
    for place in ("train/a", "train/b", "val/a", "val/b"):
        (folder / place).mkdir(parents=True)
        (folder / place / "other.png").write_bytes(pictures()["PNG RGB"])
    path.write_bytes(data)
    return Trial(
        f"{kind}: {what}",
        lambda: _read(path, kind),
        ("prepare", "imagenet", str(folder), "--out", f"{folder}.out", "--sizes", "16", "--workers", "1"),
        (DecodeError, BrokenImageError),
    )


def _read(path: Path, kind: str) -> None:
    trained, copied = _trained(path), _copied(path.read_bytes())
    if isinstance(trained, DecodeError) and isinstance(copied, BrokenImageError):
        if wrong := wrong_message(str(copied)):
            raise WrongError(wrong)
        raise trained
    if isinstance(trained, DecodeError) or isinstance(copied, BrokenImageError):
        raise WrongError(f"training and prepare disagree: {_short(trained)}; {_short(copied)}")
    if trained.shape == copied.shape and abs(float(trained.mean()) - float(copied.mean())) > MAX_DIFFERENCE:
        raise WrongError(f"training reads a mean of {trained.mean():.0f}, prepare one of {copied.mean():.0f}")
    is_png = path.read_bytes().startswith(SIGNATURE)  # which has checksums
    if is_png and not np.array_equal(trained, _untouched(kind)):
        raise WrongError("the pixels of a PNG have changed, and its checksums were not looked at")


def _trained(path: Path) -> Pixels | DecodeError:
    """The pixels as an evaluation reads them. The crop for training is read, too."""
    name = str(path).encode()
    try:
        found = eval_crop(name, SIDE, SIDE)
    except DecodeError as error:
        return error
    crop = train_crop(name, CROP, 0, 0, 0)
    if found.shape != (SIDE, SIDE, 3) or tuple(crop.shape) != (CROP, CROP, 3):
        raise WrongError(f"crops of the shapes {found.shape} and {tuple(crop.shape)}")
    return found


def _copied(content: bytes) -> Pixels | BrokenImageError:
    try:
        (copy,) = copies(content, [SIDE], 95)
    except BrokenImageError as error:
        return error
    with Image.open(io.BytesIO(copy)) as image:
        return np.asarray(image.convert("RGB"))


def _untouched(kind: str) -> Pixels:
    with Image.open(io.BytesIO(pictures()[kind])) as image:
        return np.asarray(to_rgb(image))


def _short(found: Pixels | Exception) -> str:
    return str(found) if isinstance(found, Exception) else f"pixels of the shape {found.shape}"
