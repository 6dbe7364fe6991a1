"""Images of every mode and depth: one range, by what the format declares; `fastadv prepare` agrees with training."""

import io
import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from engine.data.folder import rgb
from engine.data.folder.decode import DecodeError, eval_crop
from engine.data.folder.rgb import UnsupportedImageError, read_image_file, to_rgb
from engine.data.prepare.resize import BrokenImageError, copies

SIDE = 24
# A ramp in [0,1] from left to right. Its values differ from each other by more than a step of 8 bits.
RAMP = np.tile(np.linspace(0.1, 0.9, SIDE), (SIDE, 1))
EIGHT = (RAMP * 255).round().astype(np.uint8)
SIXTEEN = (RAMP * 65535).round().astype(np.uint16)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def pgm(maximum: int) -> bytes:
    kind = ">u2" if maximum > 255 else "u1"
    return b"P5\n%d %d\n%d\n" % (SIDE, SIDE, maximum) + (RAMP * maximum).round().astype(kind).tobytes()


def tiff(pixels: NDArray[Any], mode: str, **tags: int) -> bytes:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        info[getattr(TiffImagePlugin, name)] = value
    return saved(Image.fromarray(pixels, mode) if mode else Image.fromarray(pixels), "TIFF", tiffinfo=info)


def palette() -> bytes:
    """64 shades with an alpha of their own, as bytes: Pillow warns of these."""
    image = Image.fromarray(EIGHT // 4 * 4).convert("P")
    return saved(image, "PNG", transparency=bytes(range(256)))


# Files that hold the ramp, and how far a pixel may be from it, in units of 1/255.
READABLE: dict[str, tuple[Callable[[], bytes], float]] = {
    "png 8": (lambda: saved(Image.fromarray(EIGHT), "PNG"), 0.6),
    "png 16": (lambda: saved(Image.fromarray(SIXTEEN), "PNG"), 0.6),
    "tiff 16": (lambda: saved(Image.fromarray(SIXTEEN), "TIFF"), 0.6),
    "pgm 8": (lambda: pgm(255), 0.6),
    "pgm 16": (lambda: pgm(65535), 0.6),
    "pgm 10": (lambda: pgm(1023), 0.8),
    "pgm 12": (lambda: pgm(4095), 0.6),
    "pgm of odd maximum": (lambda: pgm(100), 3.0),
    "float in [0,1]": (lambda: saved(Image.fromarray(RAMP.astype(np.float32)), "TIFF"), 0.6),
    "rgb": (lambda: saved(Image.fromarray(EIGHT).convert("RGB"), "PNG"), 0.6),
    "rgba": (lambda: saved(Image.fromarray(EIGHT).convert("RGBA"), "PNG"), 0.6),
    "grey with alpha": (lambda: saved(Image.fromarray(EIGHT).convert("LA"), "PNG"), 0.6),
    "palette": (lambda: saved(Image.fromarray(EIGHT).convert("P"), "PNG"), 1.1),
    "palette with transparency": (palette, 4.1),
    "cmyk": (lambda: saved(Image.fromarray(EIGHT).convert("RGB").convert("CMYK"), "TIFF"), 1.1),
    "jpeg": (lambda: saved(Image.fromarray(EIGHT), "JPEG", quality=98), 3.0),
    "jpeg in cmyk": (lambda: saved(Image.fromarray(EIGHT).convert("RGB").convert("CMYK"), "JPEG", quality=98), 4.0),
    "webp": (lambda: saved(Image.fromarray(EIGHT).convert("RGB"), "WEBP", lossless=True), 0.6),
    "two frames": (
        lambda: saved(
            Image.fromarray(EIGHT), "TIFF", save_all=True, append_images=[Image.fromarray(np.zeros_like(EIGHT))]
        ),
        0.6,
    ),
}
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "32 bits": (lambda: saved(Image.fromarray((RAMP * 1e6).astype(np.int32)), "TIFF"), "declared maximum"),
    "float to 255": (lambda: saved(Image.fromarray((RAMP * 255).astype(np.float32)), "TIFF"), r"floats from 25\.5 to"),
    "negative float": (lambda: saved(Image.fromarray((RAMP - 0.5).astype(np.float32)), "TIFF"), "floats from -0.4"),
    "not a number": (
        lambda: saved(Image.fromarray(np.where(RAMP > 0.5, np.nan, RAMP).astype(np.float32)), "TIFF"),
        "floats from nan",
    ),
}


def trained(content: bytes, folder: Path) -> NDArray[np.uint8]:
    """What training sees of a file."""
    path = folder / "x.png"
    path.write_bytes(content)
    return eval_crop(os.fsencode(path), SIDE, SIDE)


def prepared(content: bytes) -> NDArray[np.uint8]:
    """What training sees of the copy that `fastadv prepare` makes."""
    (copy,) = copies(content, [SIDE], 98)
    return np.asarray(Image.open(io.BytesIO(copy)).convert("RGB"))


@pytest.mark.parametrize("kind", READABLE)
def test_an_image_has_the_range_that_its_format_declares(tmp_path: Path, kind: str) -> None:
    make, tolerance = READABLE[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no warning of a library reaches the user
        found = trained(make(), tmp_path)
        copied = prepared(make())
    assert found.shape == (SIDE, SIDE, 3)
    wanted = RAMP[:, :, None] * 255
    assert np.abs(found - wanted).max() <= tolerance
    assert np.abs(copied - wanted).max() <= tolerance + 4  # a JPEG


@pytest.mark.parametrize("kind", REFUSED)
def test_an_image_without_a_known_range_is_refused_by_training_and_by_prepare(tmp_path: Path, kind: str) -> None:
    make, message = REFUSED[kind]
    with pytest.raises(DecodeError, match=message):
        trained(make(), tmp_path)
    with pytest.raises(BrokenImageError, match=message):
        prepared(make())


@pytest.mark.parametrize("mode", sorted({*Image.MODES, "I;16B", "I;16L"}))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM", "BMP", "WEBP", "JPEG"])
def test_training_and_prepare_agree_on_every_mode_that_a_format_can_hold(
    tmp_path: Path, mode: str, format: str
) -> None:
    """Both read the same picture, or both refuse it."""
    try:
        content = saved(Image.new(mode, (SIDE, SIDE), 0), format)
    except (OSError, ValueError, KeyError, SystemError):
        return  # the format has no such mode
    try:
        found = trained(content, tmp_path)
    except DecodeError:
        with pytest.raises(BrokenImageError):
            prepared(content)
    else:
        assert np.abs(found.astype(int) - prepared(content)).max() <= 4


def pipe(path: Path) -> None:
    os.mkfifo(path)


def sock(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


@pytest.mark.parametrize("make", [pipe, sock, lambda path: path.symlink_to("/dev/zero")])
def test_only_plain_files_are_read_as_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    """A pipe without a writer would be waited for, and /dev/zero has no end."""
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    make(tmp_path / "x.png")
    with pytest.raises(DecodeError, match=r"x\.png cannot be read"):
        eval_crop(os.fsencode(tmp_path / "x.png"), SIDE, SIDE)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.png").open("wb") as file:
        file.truncate(rgb.MAX_FILE_BYTES + 1)  # a hole takes no room
    with pytest.raises(UnsupportedImageError, match="more than 1 GiB"):
        read_image_file(tmp_path / "x.png")


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    content = saved(Image.new("1", (12_000, 12_000)), "PNG")
    assert len(content) < 1_000_000
    with Image.open(io.BytesIO(content)) as image, pytest.raises(UnsupportedImageError, match="12,000 x 12,000 pixels"):
        to_rgb(image)
    with pytest.raises(BrokenImageError, match="12,000 x 12,000 pixels"):
        prepared(content)
